import { afterAll, expect, test } from "vitest";
import { startSmsGateway } from "../../simulators/sms-gateway/sms-gateway.ts";
import { DAY_MS } from "../../src/kernel/time.ts";
import { useApp } from "../support/app.ts";
import { makeHousehold, pay } from "../support/village.ts";

const network = await startSmsGateway();
const program = useApp({ roles: ["api", "worker"], env: { WASHA_SMS_URL: network.url, WASHA_SMS_KEY: "simulator" } });

afterAll(() => network.stop());

test("a running worker reminds a family and sends a campaign by itself, and the day's cost is in the metrics", async () => {
  const { app, clock, url } = program.current;
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "200" });
  clock.advance(DAY_MS);
  await app.database.db.transaction(async (tx) => {
    await app.customers.setConsent(tx, home.contract.customerId, { which: "marketing", isGiven: true });
    const draft = { name: "Lamps", segment: {}, texts: { en: "Lamps are here." }, actor: "test" };
    await app.messaging.campaigns.start(tx, (await app.messaging.campaigns.create(tx, draft)).id);
  });
  const read = (): string[] =>
    network
      .messages(home.phone)
      .map(({ text }) => text.slice(0, 12))
      .sort();
  await expect.poll(read, { timeout: 20_000 }).toEqual(["Lamps are he", "Received KES", "The light of"]);
  await expect
    .poll(async () => (await fetch(`${url}/metrics`)).text(), { timeout: 20_000 })
    .toMatch(/washa_message_cost_today\{currency="KES"\} [\d.]+/);
});
