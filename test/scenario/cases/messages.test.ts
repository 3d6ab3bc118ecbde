import { afterAll, afterEach, expect, test } from "vitest";
import { startSmsGateway } from "../../../simulators/sms-gateway/sms-gateway.ts";
import { MINUTE_MS } from "../../../src/kernel/time.ts";
import { makeAfricasTalkingGateway } from "../../../src/messaging/gateway.africastalking.ts";
import { makeMessaging } from "../../../src/messaging/messaging.ts";
import { useApp } from "../../support/app.ts";
import { makeHousehold, pay } from "../../support/village.ts";
import { auditBooks } from "../books-audit.ts";
import { strangers } from "../../messaging/strangers.ts";

const network = await startSmsGateway();
const program = useApp();

afterEach(() => auditBooks(program.current));
afterAll(() => network.stop());

test("case 25: the SMS went out, the record of it was lost", async () => {
  const { app, clock } = program.current;
  const { db } = app.database;
  // The program's own messaging, with less patience than it has in the world.
  const settings = { username: "test", apiKey: "simulator", baseUrl: network.url, timeoutMs: 1_000 };
  const messaging = makeMessaging({
    db,
    clock,
    makeId: app.makeId,
    gateways: { sms: makeAfricasTalkingGateway(settings) },
    ...strangers,
  });
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "100" });
  const [token] = await home.tokens();
  const { messages } = await messaging.list(db, { filter: { toPhone: home.phone }, first: 5 });
  const [message, ...others] = messages;
  if (message === undefined) throw new Error("There is no message.");
  expect(others).toEqual([]);

  // The network takes the SMS, and its answer never comes.
  network.failNext("silent_after_accepting");
  await expect(messaging.send(message.id)).rejects.toThrow("did not take the message");
  expect(network.messages(home.phone)).toHaveLength(1);
  expect((await messaging.find(db, message.id))?.state).toBe("waiting");

  clock.advance(MINUTE_MS);
  expect(await messaging.send(message.id)).toBe("sent");
  expect(await messaging.send(message.id)).toBe("already_sent");
  const texts = network.messages(home.phone).map(({ text }) => text);
  expect(texts).toHaveLength(2);
  expect(texts[1]).toBe(texts[0]);
  expect(texts[0]?.replaceAll(/\D/g, "")).toContain(token);
  // One token was made, and the lamp takes it once, however often it was sent.
  expect(await home.tokens()).toEqual([token]);
  expect(home.lamp.enter(token ?? "").kind).toBe("VALID");
  expect(home.lamp.face().daysLeft).toBe(2);
  expect(home.lamp.enter(token ?? "").kind).not.toBe("VALID");
});
