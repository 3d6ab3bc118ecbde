import { sql } from "drizzle-orm";
import { beforeEach, expect, test } from "vitest";
import { makeIds } from "../../src/kernel/ids.ts";
import { makeManualClock, MINUTE_MS } from "../../src/kernel/time.ts";
import { sendMessage } from "../../src/messaging/messaging.jobs.ts";
import { makeMessaging, type NewMessage } from "../../src/messaging/messaging.ts";
import { sqlStateOf } from "../../src/platform/database.ts";
import { makeOutboxRelay } from "../../src/platform/outbox.ts";
import { makeHeldJobs } from "../contract/jobs-fake.ts";
import { useDatabase } from "../support/database.ts";
import { makeFakeGateway } from "./fake-gateway.ts";
import { strangers } from "./strangers.ts";

const database = useDatabase();
const PHONE = "+254711000111";

const tokenMessage = (key: string, more: Partial<NewMessage> = {}): NewMessage => ({
  key,
  toPhone: PHONE,
  language: "sw",
  template: "token_received",
  values: { amount: "KES 50", token: "123 456 789", days: "3", account: "1234-5678" },
  ...more,
});

/** A house with a fake gateway and a queue that holds jobs until they are run by hand. */
function makeHouse(onSend?: Parameters<typeof makeFakeGateway>[0]) {
  const { db } = database.current;
  const clock = makeManualClock(new Date("2026-05-04T10:00:00Z"));
  const phone = makeFakeGateway(onSend);
  const messaging = makeMessaging({
    db,
    clock,
    makeId: makeIds(clock),
    gateways: { sms: phone.gateway },
    ...strangers,
  });
  const jobs = makeHeldJobs();
  const relay = makeOutboxRelay({ database: database.current, jobs, clock, batchMax: 100, sweepMs: 60_000 });
  const append = (...messages: NewMessage[]): Promise<void> => db.transaction((tx) => messaging.append(tx, messages));
  const only = async () => {
    const { messages } = await messaging.list(db, { first: 10 });
    expect(messages).toHaveLength(1);
    const [message] = messages;
    if (message === undefined) throw new Error("There is no message.");
    return message;
  };
  const report = (status: string, providerId = "fake-1") => messaging.receiveReport({ providerId, status });
  const runJobs = () => Promise.all(jobs.held.map((job) => sendMessage(messaging, job)));
  return { db, clock, phone, messaging, jobs, relay, append, only, report, runJobs };
}

beforeEach(async () => {
  const owner = (statement: string) => database.current.db.execute(sql.raw(statement));
  await owner("delete from messaging.messages");
  await owner("delete from platform.outbox");
});

test("a message appended twice is one message, one event and one SMS", async () => {
  const house = makeHouse();
  await house.append(tokenMessage("receipt:1"), tokenMessage("receipt:1", { language: "en" }));
  await house.append(tokenMessage("receipt:1", { toPhone: "+254700000000" }));
  expect(await house.relay.relayOnce()).toBe(1);
  await house.runJobs();
  await house.runJobs();
  expect(house.phone.sent).toEqual([
    {
      to: PHONE,
      text: "Tumepokea KES 50. Tokeni: 123 456 789. Iingize kwenye kifaa chako upate siku 3. Akaunti 1234-5678.",
    },
  ]);
  expect(await house.only()).toMatchObject({
    state: "queued",
    providerId: "fake-1",
    costText: "KES 0.8000",
    attempts: 1,
  });
});

test("a relay killed between adding and marking leads to one SMS for each key", async () => {
  const house = makeHouse();
  await house.append(tokenMessage("a"), tokenMessage("b"));
  house.jobs.failNextAdd("after");
  await expect(house.relay.relayOnce()).rejects.toThrow("killed");
  await house.runJobs();
  await house.relay.relayOnce();
  await house.runJobs();
  expect(house.phone.sent).toHaveLength(2);
});

test("when the record of a send is lost, the identical text goes again, even where the template has changed since", async () => {
  let dies = true;
  const house = makeHouse(() => {
    if (dies) throw new Error("the process died here");
  });
  await house.append(tokenMessage("a"));
  const { id } = await house.only();
  await expect(house.messaging.send(id)).rejects.toThrow("died");
  dies = false;
  await house.db.execute(sql`update messaging.messages set template_values = template_values || '{"token": "999"}'`);
  await expect(house.messaging.send(id)).rejects.toThrow("another worker");
  house.clock.advance(31_000);
  expect(await house.messaging.send(id)).toBe("sent");
  expect(await house.messaging.send(id)).toBe("already_sent");
  expect(house.phone.sent).toHaveLength(2);
  expect(house.phone.sent[1]).toEqual(house.phone.sent[0]);
});

test("two workers with the same job send one SMS", async () => {
  const house = makeHouse();
  await house.append(tokenMessage("a"));
  const { id } = await house.only();
  const outcomes = await Promise.allSettled([house.messaging.send(id), house.messaging.send(id)]);
  expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(1);
  expect(house.phone.sent).toHaveLength(1);
});

test("no lock is held while the gateway is being talked to", async () => {
  const house = makeHouse(async () => {
    await database.current.db.transaction(async (tx) => {
      await tx.execute(sql`select from messaging.messages for update nowait`);
    });
  });
  await house.append(tokenMessage("a"));
  expect(await house.messaging.send((await house.only()).id)).toBe("sent");
});

test("a gateway that is away is tried again at once by the next job; one that refuses is not", async () => {
  const house = makeHouse();
  await house.append(tokenMessage("a"));
  const { id } = await house.only();
  house.phone.failNext("http_500");
  await expect(house.messaging.send(id)).rejects.toThrow("HTTP 500");
  expect(await house.only()).toMatchObject({ state: "waiting", failure: "HTTP 500", attempts: 1 });
  house.phone.failNext("refuse_recipient");
  expect(await house.messaging.send(id)).toBe("refused");
  expect(await house.messaging.send(id)).toBe("refused");
  expect(house.phone.sent).toHaveLength(0);
  expect(await house.only()).toMatchObject({ state: "refused", failure: "403 InvalidPhoneNumber" });
});

test("a job that names no message dies at once", async () => {
  const house = makeHouse();
  const messageId = makeIds(house.clock)<"Message">();
  for (const payload of [null, {}, { messageId: 7 }, { messageId: "x" }, { messageId }]) {
    await expect(sendMessage(house.messaging, { payload })).rejects.toMatchObject({ name: "PermanentFailure" });
  }
});

test("delivery reports move a message forward in any order, and nothing moves what is final", async () => {
  const house = makeHouse();
  await house.append(tokenMessage("a"));
  await house.messaging.send((await house.only()).id);
  await house.db.execute(sql`update messaging.messages set provider_id = 'order-1'`);
  const told: string[] = [];
  for (const status of ["Buffered", "Sent", "Buffered", "Success", "Failed", "Submitted", "Riddle"]) {
    told.push(`${await house.report(status, "order-1")} ${(await house.only()).state}`);
  }
  expect(told).toEqual([
    "moved buffered",
    "unchanged buffered",
    "duplicate buffered",
    "moved delivered",
    "unchanged delivered",
    "unchanged delivered",
    "unchanged delivered",
  ]);
});

test("a report that overtakes the answer to its own send is not lost", async () => {
  const told: string[] = [];
  const house = makeHouse(async () => {
    told.push(await house.report("Success", "fake-1"));
  });
  const unknownBefore = await house.messaging.countUnknownReports(house.db);
  await house.append(tokenMessage("a"));
  await house.messaging.send((await house.only()).id);
  expect(told).toEqual(["unknown_message"]);
  expect(await house.only()).toMatchObject({ state: "delivered" });
  expect(await house.messaging.countUnknownReports(house.db)).toBe(unknownBefore);
  expect(await house.report("Failed", "somebody-elses")).toBe("unknown_message");
  expect(await house.messaging.countUnknownReports(house.db)).toBe(unknownBefore + 1);
});

test("reports that were kept can be neither changed nor erased", async () => {
  const { db } = database.current;
  for (const statement of ["update messaging.reports set status = 'x'", "delete from messaging.reports"]) {
    expect(await db.execute(sql.raw(statement)).then(() => undefined, sqlStateOf)).toBe("42501");
  }
});

test("after Redis was erased, messages that never left are handed over again, and those that left are not", async () => {
  const house = makeHouse();
  await house.append(tokenMessage("left"), tokenMessage("lost"));
  await house.relay.relayOnce();
  const left = house.jobs.held.find(({ id }) => id === "message:left");
  await sendMessage(house.messaging, { payload: left?.payload });
  house.jobs.erase();
  expect(await house.messaging.releaseOverdue()).toBe(0);
  house.clock.advance(16 * MINUTE_MS);
  expect(await house.messaging.releaseOverdue()).toBe(1);
  await house.relay.relayOnce();
  expect(house.jobs.held.map(({ id }) => id)).toEqual(["message:lost"]);
  await house.runJobs();
  expect(house.phone.sent).toHaveLength(2);
  house.clock.advance(60 * MINUTE_MS);
  expect(await house.messaging.releaseOverdue()).toBe(0);
});

test("five hundred messages are written with as many statements as one", async () => {
  const house = makeHouse();
  const messages = Array.from({ length: 500 }, (_, at) =>
    tokenMessage(`bulk:${String(at)}`, {
      values: { amount: `KES ${String(at)}`, token: "{1,2}", days: "1", account: '"\\' },
    }),
  );
  let statements = 0;
  await house.db.transaction(async (tx) => {
    const counted = new Proxy(tx, {
      get(target, name, receiver) {
        if (name === "execute") statements++;
        const value: unknown = Reflect.get(target, name, receiver);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await house.messaging.append(counted, messages);
  });
  expect(statements).toBe(2);
  const { messages: page, hasMore } = await house.messaging.list(house.db, { first: 1_000 });
  expect(page).toHaveLength(100);
  expect(hasMore).toBe(true);
  expect(page[0]?.values).toMatchObject({ token: "{1,2}", account: '"\\' });
});

test("messages are listed newest first by contract, receipt, phone and state, page by page", async () => {
  const house = makeHouse();
  const makeId = makeIds(house.clock);
  const [contractId, receiptId] = [makeId<"Contract">(), makeId<"Receipt">()];
  for (const key of ["1", "2", "3"]) {
    await house.append(tokenMessage(key, { about: { contractId, ...(key === "2" ? { receiptId } : {}) } }));
    house.clock.advance(1_000);
  }
  await house.append(tokenMessage("4", { toPhone: "+256772000111" }));
  const keys = async (page: Parameters<typeof house.messaging.list>[1]) =>
    (await house.messaging.list(house.db, page)).messages.map(({ key }) => key);
  expect(await keys({ first: 10 })).toEqual(["4", "3", "2", "1"]);
  expect(await keys({ first: 10, filter: { contractId } })).toEqual(["3", "2", "1"]);
  expect(await keys({ first: 10, filter: { receiptId } })).toEqual(["2"]);
  expect(await keys({ first: 10, filter: { toPhone: "+256772000111" } })).toEqual(["4"]);
  expect(await keys({ first: 10, filter: { state: "delivered" } })).toEqual([]);
  const { messages, hasMore } = await house.messaging.list(house.db, { first: 2 });
  expect(hasMore).toBe(true);
  const last = messages.at(-1);
  expect(last && (await keys({ first: 2, after: last.id }))).toEqual(["2", "1"]);
  expect(last && (await house.messaging.find(house.db, last.id))?.key).toBe("3");
  expect(await house.messaging.find(house.db, "not an id")).toBeUndefined();
});
