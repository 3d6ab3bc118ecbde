import { parseArgs } from "node:util";
import { makePhone } from "./phone.ts";
import { drawSms } from "./screen.ts";

// A phone to look at: node simulators/phone/main.ts --gateway http://127.0.0.1:4101 --number +254711000111 --follow
const { values } = parseArgs({
  options: {
    gateway: { type: "string", default: "http://127.0.0.1:4101" },
    number: { type: "string" },
    follow: { type: "boolean", default: false },
  },
});
if (values.number === undefined) {
  console.error("Say whose phone it is: --number +254711000111");
  process.exit(2);
}
const phone = makePhone({ gatewayUrl: values.gateway, number: values.number });
let shown = 0;
do {
  const inbox = await phone.inbox();
  for (const message of inbox.slice(shown)) console.log(drawSms(phone.number, message));
  shown = inbox.length;
  if (values.follow) await new Promise((resolve) => setTimeout(resolve, 1_000));
} while (values.follow);
if (shown === 0) console.log(`No messages for ${phone.number} yet.`);
