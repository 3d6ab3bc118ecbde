import { sql } from "drizzle-orm";
import { beforeEach, expect, test } from "vitest";
import { campaignAudience, messageManners } from "../../src/message-rooms.ts";
import { makeMessaging, type NewCampaign } from "../../src/messaging/messaging.ts";
import type { Db } from "../../src/platform/database.ts";
import { TEST_START, useApp } from "../support/app.ts";
import { makeHousehold, pay } from "../support/village.ts";
import { makeFakeGateway } from "./fake-gateway.ts";

const program = useApp({ env: { WASHA_SMS_PART_PRICE: "KES 0.80" } });
const TEXTS = { en: "Hello {name}, a brighter lamp is here for {account}." };
let areas = 0;

beforeEach(async () => {
  program.current.clock.moveTo(TEST_START);
  await program.current.app.database.db.execute(
    sql`update messaging.campaigns set state = 'stopped' where state = 'running'`,
  );
});

/** A worker of its own: what it knows is in the database alone. `dies`: each time when all is written and nothing committed. */
function makeWorker({ dies = false } = {}) {
  const { app, clock } = program.current;
  const sms = makeFakeGateway();
  const { db } = app.database;
  const dying: Pick<Db, "transaction"> = {
    transaction: (work) =>
      db.transaction(async (tx) => {
        await work(tx);
        throw new Error("the process died here");
      }),
  };
  const messaging = makeMessaging({
    db: dies ? Object.assign(Object.create(db) as Db, dying) : db,
    clock,
    makeId: app.makeId,
    gateways: { sms: sms.gateway },
    settings: app.config.messages,
    manners: messageManners(app.config, app.customers),
    audience: campaignAudience({ clock, customers: app.customers, creditOf: () => app.credit }),
  });
  return {
    ...messaging,
    sms,
    /** Sends all that may leave now. */
    async sendAll({ id: campaignId }: { id: string }) {
      await messaging.releaseDeferred();
      const waiting = await db.execute<{ id: string }>(
        sql`select id from messaging.messages where state = 'waiting' and campaign_id = ${campaignId}::uuid order by id`,
      );
      for (const { id } of waiting) await messaging.send(id);
    },
  };
}

/** People of a place of their own who agreed to hear of news, one each with a number of her own. */
async function makeVillage(people: number, { agreed = true, language = "en" } = {}) {
  const { app } = program.current;
  const area = `village-${String(++areas)}`;
  const ids = await app.database.db.transaction(async (tx) => {
    const made = [];
    for (let at = 0; at < people; at++)
      made.push(
        await app.customers.register(tx, {
          name: `Neema ${String(at)}`,
          language,
          area,
          phones: [`+2547${String(20_000_000 + areas * 10_000 + at)}`],
          serviceConsent: true,
          marketingConsent: agreed,
          actor: "test",
        }),
      );
    return made.map(({ id }) => id);
  });
  return { area, ids };
}

async function start(draft: Partial<NewCampaign> & { segment: unknown }) {
  const { campaigns } = makeWorker();
  return program.current.app.database.db.transaction(async (tx) => {
    const { id } = await campaigns.create(tx, {
      name: "Lamps",
      texts: { en: "News from us." },
      actor: "test",
      ...draft,
    });
    return campaigns.start(tx, id);
  });
}

const { parse } = JSON;
const plain = (value: unknown): unknown => parse(JSON.stringify(value));

test("a campaign reaches everybody of its segment who agreed, once each, with the own name and account", async () => {
  const home = await makeHousehold(program.current);
  const { app } = program.current;
  await app.database.db.transaction(async (tx) => {
    await app.customers.setConsent(tx, home.contract.customerId, { which: "marketing", isGiven: true });
  });
  await pay(program.current, { account: home.accountNumber, amount: "200" });
  const segment = { areas: ["kitui"], states: ["active"], daysLeft: { from: 1, to: 4 } };
  const worker = makeWorker();
  const preview = await worker.campaigns.preview(app.database.db, { segment, texts: TEXTS });
  const name = (await app.customers.require(app.database.db, home.contract.customerId)).name;
  const text = `Hello ${name}, a brighter lamp is here for ${home.accountNumber}. Reply STOP to end these messages.`;
  expect(preview).toEqual({
    people: 1,
    languages: [{ language: "en", people: 1, parts: 1, partsMax: 1, sample: text }],
    skipped: [],
    cost: { amount: "0.8", currency: "KES" },
  });
  const campaign = await start({ segment, texts: TEXTS });
  for (let round = 0; round < 3; round++) await worker.campaigns.step();
  await worker.sendAll(campaign);
  expect(worker.sms.sent).toEqual([{ to: home.phone, text }]);
  expect(await worker.campaigns.progress(app.database.db, campaign.id)).toMatchObject({ people: 1, sent: 1, left: 0 });
  expect(await worker.campaigns.find(app.database.db, campaign.id)).toMatchObject({ state: "done" });
});

test("the preview says who hears nothing and why, and writes nothing", async () => {
  const { db } = program.current.app.database;
  const agreed = await makeVillage(3);
  const silent = await makeVillage(2, { agreed: false });
  const french = await makeVillage(4, { language: "fr" });
  const { campaigns } = makeWorker();
  const segment = { areas: [agreed.area, silent.area, french.area] };
  const preview = await campaigns.preview(db, { segment, texts: { en: "a".repeat(150), sw: "Habari" } });
  expect(plain(preview)).toMatchObject({
    people: 9,
    languages: [{ language: "en", people: 3, parts: 6, partsMax: 2 }],
    skipped: expect.arrayContaining([
      { reason: "no_consent", people: 2 },
      { reason: "no_text", people: 4 },
    ]) as unknown,
    cost: { amount: "4.8" },
  });
  const withoutAccounts = await campaigns.preview(db, { segment: { areas: [agreed.area] }, texts: TEXTS });
  expect(withoutAccounts.skipped).toEqual([{ reason: "no_account", people: 3 }]);
  const [written] = await db.execute<{ count: number }>(sql`
    select count(*)::int as count from messaging.recipients r join customers.customers c on c.id = r.customer_id where c.area = ${agreed.area}`);
  expect(written?.count).toBe(0);
});

test("a worker that dies in the middle, and two that go on together, write to everybody once", async () => {
  const { db } = program.current.app.database;
  const { area } = await makeVillage(700);
  const campaign = await start({ segment: { areas: [area] } });
  expect(await makeWorker().campaigns.step()).toBe(200);
  await expect(makeWorker({ dies: true }).campaigns.step()).rejects.toThrow("died");
  const [left, right] = [makeWorker(), makeWorker()];
  const run = async (worker: typeof left): Promise<number> => {
    let decided = 0;
    for (let more = true; more;) {
      decided += await worker.campaigns.step();
      more = (await worker.campaigns.find(db, campaign.id))?.state === "running";
    }
    return decided;
  };
  const decided = await Promise.all([run(left), run(right)]);
  expect(decided[0] + decided[1]).toBe(500);
  const [counted] = await db.execute<{ messages: number; phones: number }>(sql`
    select count(*)::int as messages, count(distinct to_phone)::int as phones from messaging.messages where campaign_id = ${campaign.id}::uuid`);
  expect(counted).toEqual({ messages: 700, phones: 700 });
});

test("stopping a campaign keeps back at once what no gateway has, and starting it again is refused", async () => {
  const { db } = program.current.app.database;
  const { area } = await makeVillage(300);
  const campaign = await start({ segment: { areas: [area] } });
  const worker = makeWorker();
  await worker.campaigns.step();
  const [first] = await db.execute<{ id: string }>(
    sql`select id from messaging.messages where campaign_id = ${campaign.id}::uuid order by id limit 1`,
  );
  expect(await worker.send(first?.id ?? "")).toBe("sent");
  await db.transaction((tx) => worker.campaigns.stop(tx, campaign.id));
  await worker.campaigns.step();
  await worker.sendAll(campaign);
  expect(worker.sms.sent).toHaveLength(1);
  expect(await worker.campaigns.progress(db, campaign.id)).toMatchObject({
    people: 300,
    sent: 1,
    failed: 199,
    left: 100,
  });
  await expect(db.transaction((tx) => worker.campaigns.start(tx, campaign.id))).rejects.toThrow("ended");
});

test("who says STOP while the campaign runs gets nothing of it, written already or not", async () => {
  const { app } = program.current;
  const { db } = app.database;
  const { area, ids } = await makeVillage(250);
  const campaign = await start({ segment: { areas: [area] } });
  const worker = makeWorker();
  await worker.campaigns.step();
  const said = [ids[0], ids[249]];
  for (const id of said)
    if (id !== undefined)
      await db.transaction((tx) => app.customers.setConsent(tx, id, { which: "marketing", isGiven: false }));
  await worker.campaigns.step();
  await worker.sendAll(campaign);
  expect(worker.sms.sent).toHaveLength(248);
  const phones = await app.customers.findMany(
    db,
    said.filter((id) => id !== undefined),
  );
  for (const { phones: own } of phones.values()) expect(worker.sms.received(own[0] ?? "")).toEqual([]);
  expect(await worker.campaigns.progress(db, campaign.id)).toMatchObject({
    sent: 248,
    failed: 1,
    skipped: [{ reason: "no_consent", people: 1 }],
  });
});

test("however many campaigns run at once, nobody hears more than twice a week, and again the week after", async () => {
  const { db } = program.current.app.database;
  const { area } = await makeVillage(20);
  const campaigns = [];
  for (let at = 0; at < 4; at++) campaigns.push(await start({ segment: { areas: [area] } }));
  await Promise.all([makeWorker(), makeWorker(), makeWorker()].map((worker) => worker.campaigns.step()));
  await makeWorker().campaigns.step();
  const counted = () =>
    db.execute<{ messages: number }>(sql`
      select count(*)::int as messages from messaging.messages m join customers.customers c on c.id = m.customer_id
      where c.area = ${area} group by m.customer_id order by 1`);
  const heard = await counted();
  expect(heard).toHaveLength(20);
  expect(new Set(heard.map(({ messages }) => messages))).toEqual(new Set([2]));
  program.current.clock.advance(7 * 86_400_000);
  await start({ segment: { areas: [area] } });
  await makeWorker().campaigns.step();
  expect(new Set((await counted()).map(({ messages }) => messages))).toEqual(new Set([3]));
});

test("a campaign that begins at night leaves in the morning", async () => {
  const { clock } = program.current;
  clock.moveTo(new Date("2026-03-02T20:00:00Z"));
  const { area } = await makeVillage(5);
  const campaign = await start({ segment: { areas: [area] } });
  const worker = makeWorker();
  await worker.campaigns.step();
  await worker.sendAll(campaign);
  expect(worker.sms.sent).toHaveLength(0);
  clock.moveTo(new Date("2026-03-03T04:00:00Z"));
  await worker.sendAll(campaign);
  expect(worker.sms.sent).toHaveLength(5);
});
