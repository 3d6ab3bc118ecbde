import { parseArgs } from "node:util";
import { startSmsGateway } from "./sms-gateway.ts";

// A gateway to talk to by hand: node simulators/sms-gateway/main.ts --port 4101 --report-url http://…
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "4101" },
    "api-key": { type: "string", default: "simulator" },
    "report-url": { type: "string" },
    seed: { type: "string", default: "1" },
    "refuse-share": { type: "string", default: "0" },
    "fail-share": { type: "string", default: "0" },
    "silent-share": { type: "string", default: "0" },
  },
});
const reportUrl = values["report-url"];
const gateway = await startSmsGateway({
  port: Number(values.port),
  apiKey: values["api-key"],
  seed: Number(values.seed),
  reportPlan: "shuffled",
  shares: {
    refuse_recipient: Number(values["refuse-share"]),
    http_500: Number(values["fail-share"]),
    silent_after_accepting: Number(values["silent-share"]),
  },
  ...(reportUrl === undefined ? {} : { reportUrl }),
});
console.log(`The simulated SMS gateway takes messages at ${gateway.url}/version1/messaging (seed ${values.seed}).`);
process.once("SIGINT", () => {
  gateway.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
