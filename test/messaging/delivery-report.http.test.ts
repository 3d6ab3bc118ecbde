import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import request from "supertest";
import { expect, test } from "vitest";
import { makeIds } from "../../src/kernel/ids.ts";
import { makeManualClock } from "../../src/kernel/time.ts";
import { makeAfricasTalkingGateway } from "../../src/messaging/gateway.africastalking.ts";
import { makeDeliveryReportRouter, type ReportDoorOutcome } from "../../src/messaging/messaging.http.ts";
import { makeMessaging } from "../../src/messaging/messaging.ts";
import { drawSms } from "../../simulators/phone/screen.ts";
import { makePhone } from "../../simulators/phone/phone.ts";
import { startSmsGateway } from "../../simulators/sms-gateway/sms-gateway.ts";
import { useDatabase } from "../support/database.ts";
import { makeFakeGateway } from "./fake-gateway.ts";
import { strangers } from "./strangers.ts";

const database = useDatabase();
const SECRET = "a-long-enough-secret";
const PATH = `/messaging/africastalking/${SECRET}/report`;
const clock = makeManualClock(new Date("2026-05-04T10:00:00Z"));

function makeDoor(gateway = makeFakeGateway().gateway) {
  const outcomes: ReportDoorOutcome[] = [];
  const messaging = makeMessaging({
    db: database.current.db,
    clock,
    makeId: makeIds(clock),
    gateways: { sms: gateway },
    ...strangers,
  });
  const app = express();
  app.use(makeDeliveryReportRouter({ secret: SECRET, messaging, onOutcome: (outcome) => outcomes.push(outcome) }));
  return { app, outcomes, messaging };
}

test("a report is answered with success, however often it comes and whoever's message it is about", async () => {
  const { app, outcomes } = makeDoor();
  const body =
    "id=ATXid_1&status=Failed&phoneNumber=%2B254711000111&networkCode=63902&failureReason=UserInBlackList&retryCount=0";
  await request(app).post(PATH).send(body).expect(200, "OK");
  await request(app).post(PATH).send(body).expect(200, "OK");
  expect(outcomes).toEqual(["unknown_message", "duplicate"]);
});

test("a stranger without the secret finds no door, whatever they post", async () => {
  const { app, outcomes } = makeDoor();
  for (const secret of ["x", `${SECRET}x`, "%00", "A-LONG-ENOUGH-SECRET"]) {
    await request(app).post(`/messaging/africastalking/${secret}/report`).send("id=a&status=Sent").expect(404);
  }
  expect(outcomes).toEqual(["wrong_secret", "wrong_secret", "wrong_secret", "wrong_secret"]);
});

test("what is no report, and what is too large, is refused and counted, and the door stays open", async () => {
  const { app, outcomes } = makeDoor();
  await request(app).post(PATH).send("hello").expect(400);
  await request(app).post(PATH).send("id=a").expect(400);
  await request(app).post(PATH).send("id=a&id=b&status=Sent").expect(400);
  await request(app).post(PATH).send("id=%00&status=Sent").expect(400);
  await request(app).post(PATH).set("content-encoding", "nonsense").send("id=a&status=Sent").expect(415);
  await request(app)
    .post(PATH)
    .send(`id=a&status=${"x".repeat(9_000)}`)
    .expect(413);
  await request(app).post(PATH).send("id=a&status=Sent").expect(200);
  expect(outcomes).toEqual([...Array<string>(5).fill("malformed"), "too_large", "unknown_message"]);
});

test("a report that cannot be kept is asked for again", async () => {
  const app = express();
  const faults: unknown[] = [];
  const messaging = { receiveReport: () => Promise.reject(new Error("the database is away")) };
  app.use(makeDeliveryReportRouter({ secret: SECRET, messaging, onFault: (error) => faults.push(error) }));
  await request(app).post(PATH).send("id=a&status=Sent").expect(503);
  expect(faults).toHaveLength(1);
});

test("a secret that could be guessed is refused at the start", () => {
  const messaging = makeDoor().messaging;
  expect(() => makeDeliveryReportRouter({ secret: "short", messaging })).toThrow("16 characters");
});

test("a message goes out to a simulated phone, and the gateway's shuffled reports say that it arrived", async () => {
  const simulator = await startSmsGateway({ reportPlan: "shuffled", seed: 7 });
  const gateway = makeAfricasTalkingGateway({ username: "acme", apiKey: "simulator", baseUrl: simulator.url });
  const { app, messaging } = makeDoor(gateway);
  const server = await new Promise<Server>((resolve) => {
    const opened: Server = app.listen(0, "127.0.0.1", () => resolve(opened));
  });
  try {
    simulator.reportTo(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}${PATH}`);
    await database.current.db.transaction((tx) =>
      messaging.append(tx, [
        {
          key: "story",
          toPhone: "+254711000111",
          language: "fr",
          template: "unlocked",
          values: { amount: "KES 50", token: "123 456 789", account: "1234-5678" },
        },
      ]),
    );
    const [message] = (await messaging.list(database.current.db, { first: 1 })).messages;
    await messaging.send(message?.id ?? "");
    await simulator.reportsSettled();
    expect(await messaging.find(database.current.db, message?.id ?? "")).toMatchObject({ state: "delivered" });

    const phone = makePhone({ gatewayUrl: simulator.url, number: "+254711000111" });
    expect(await phone.tokens()).toEqual(["123456789"]);
    const [sms] = await phone.inbox();
    expect(sms && drawSms(phone.number, sms)).toContain("| Paiement de KES 50 accepté.");
  } finally {
    server.close();
    await simulator.stop();
  }
});
