import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { actorOf } from "../../src/access/access.ts";
import { formatAccountNumber } from "../../src/credit/account-number.ts";
import { DAY_MS, MINUTE_MS } from "../../src/kernel/time.ts";
import { auditBooks } from "../scenario/books-audit.ts";
import { useApp } from "../support/app.ts";
import { makeHousehold, PLAIN_TERMS } from "../support/village.ts";
import { makeDialler } from "./dial.ts";

const program = useApp();
const dial = makeDialler(program);
const app = () => program.current.app;
const db = () => app().database.db;

const PIN = "2580";
let agents = 0;

/** An agent of an area with a phone of the company, who may hold so much cash. */
async function makeAgent({ area = "kitui", limitMinor = 1_000_000n }: { area?: string; limitMinor?: bigint } = {}) {
  agents += 1;
  const { access, cash } = app();
  const phone = `+25479000${String(agents).padStart(4, "0")}`;
  const passwordHash = await access.hashPassword("seven quiet lamps");
  const [email, actor] = [`agent${String(agents)}@example.org`, "system:test"];
  const staff = await db().transaction(async (tx) => {
    const { id } = await access.createStaff(tx, {
      email,
      name: "Mwende",
      role: "agent",
      area,
      language: "en",
      passwordHash,
      actor,
    });
    const office = { id: app().makeId<"Staff">(), role: "operations", actor } as const;
    await cash.setLimit(tx, { agentId: id, currency: "KES", limitMinor, by: office });
    return await access.setStaffPhone(tx, { staffId: id, phone, actor });
  });
  return { staff, phone, actor: actorOf(staff) };
}

/** An agent in a call, with the PIN chosen, one key behind the first screen. */
async function atWork(phone: string, key: string) {
  const call = dial(phone);
  await call.open();
  await call.says(key);
  return { call, screen: await call.says(PIN) };
}

async function count(query: ReturnType<typeof sql>): Promise<number> {
  const [row] = await db().execute<{ count: number }>(query);
  return row?.count ?? 0;
}

async function importDevice(serial: string): Promise<string> {
  await db().transaction((tx) =>
    app().devices.importCsv(
      tx,
      `Serial Number,Key,Count,Time Divider,Hardware Model\n${serial},${"ab".repeat(16)},1,1,Home 60\n`,
    ),
  );
  return serial;
}

async function lastAudit(actor: string): Promise<string | undefined> {
  const [row] = await db().execute<{ action: string }>(
    sql`select action from access.audit where actor = ${actor} order by id desc limit 1`,
  );
  return row?.action;
}

test("an agent's phone opens the agents' menu, the customers' own is two keys away, and another phone sees neither", async () => {
  const { phone } = await makeAgent();
  const call = dial(phone);
  expect(await call.open()).toBe(
    "CON Agent Mwende.\n1. Register a customer\n2. Sell a system\n3. Collect cash\n4. Hand over cash\n5. See more",
  );
  expect(await call.saysAll("5", "2")).toMatch(/^CON Welcome to Washa\.\n1\. Pay/);
  expect(await call.says("00")).toMatch(/^CON Agent Mwende/);
  expect(await dial("+254790009999").open()).toMatch(/^CON Welcome to Washa/);
});

test("an agent registers a customer of the own area, with the consent that was given, once however often the hop comes", async () => {
  const { phone, actor } = await makeAgent();
  const { call, screen } = await atWork(phone, "1");
  expect(screen).toMatch(/^CON Type the customer's name/);
  expect(await call.saysAll("Kilonzo Mutua", "0733 000 111", "2")).toMatch(
    /^CON Register Kilonzo Mutua, \+254733000111, Kiswahili\? Ask/,
  );
  const done = await call.says("2");
  expect(done).toMatch(/^END Kilonzo Mutua is registered/);
  expect(await call.hop(call.text)).toBe(done);
  const people = await app().customers.findByPhone(db(), app().customers.parsePhone("+254733000111"));
  expect(people).toMatchObject([{ area: "kitui", language: "sw", serviceConsentAt: null, marketingConsentAt: null }]);
  expect(await lastAudit(actor)).toBe("customer.register");
});

test("an agent sells a device from stock to a customer of the own area, once", async () => {
  const { phone, actor, staff } = await makeAgent();
  const home = await makeHousehold(program.current);
  await db().transaction((tx) =>
    app().credit.plans.create(tx, { code: "sale-plan", name: "Home 100", terms: PLAIN_TERMS }),
  );
  const serial = await importDevice("SHS-SALE-1");
  const { call } = await atWork(phone, "2");
  const plans = await call.says(home.phone);
  expect(plans).toMatch(/^CON Which plan\?/);
  const key = /(\d)\. Home 100/.exec(await reachPlan(call, plans))?.[1] ?? "none";
  expect(await call.says(key)).toMatch(/^CON Type the serial number/);
  expect(await call.says(home.serial)).toMatch(/^CON No such device is in stock/);
  expect(await call.says("shs-sale-1")).toMatch(/^CON Sell SHS-SALE-1 to Asha \d+: Home 100, KES 5,000\?/);
  const done = await call.says("1");
  expect(done).toMatch(/^END Sold\. The account number is PG-\d+/);
  expect(await call.hop(call.text)).toBe(done);
  const device = await app().devices.requireBySerial(db(), serial);
  const contracts = await app().credit.list(db(), { deviceId: device.id }, { first: 5 });
  expect(contracts).toMatchObject([
    { soldBy: `staff:${staff.id}`, customerId: home.contract.customerId, area: "kitui" },
  ]);
  expect(done).toContain(formatAccountNumber(contracts[0]?.accountNumber ?? home.contract.accountNumber));
  expect(await lastAudit(actor)).toBe("contract.sell");
});

/** Plans of other tests stand before it. */
async function reachPlan(call: ReturnType<typeof dial>, first: string): Promise<string> {
  let screen = first;
  for (let page = 0; !screen.includes("Home 100") && page < 10; page++)
    screen = await call.says(screen.includes("9 More") ? "9" : "5");
  return screen;
}

test("an agent collects cash for a neighbour whose name is masked: one receipt, one token, though the hop comes five times", async () => {
  const { phone, actor } = await makeAgent();
  const home = await makeHousehold(program.current);
  const { call } = await atWork(phone, "3");
  expect(await call.says(home.accountNumber)).toMatch(/^CON Cash for PG-\d+ A\*{3} \d\*?\. Type the amount in KES/);
  expect(await call.says("150")).toMatch(/^CON You have KES 150 in cash for PG-\d+ A\*{3}/);
  program.current.clock.advance(3_000);
  const answers = await Promise.all(Array.from({ length: 5 }, () => call.hop(`${call.text}*1`)));
  expect(new Set(answers).size).toBe(1);
  expect(answers[0]).toMatch(/^END Receipt \S+: KES 150\. The token goes to the customer/);
  await program.current.settle();
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 15_000n });
  expect(await home.tokens()).toHaveLength(1);
  expect(await lastAudit(actor)).toBe("cash.collect");
  await auditBooks(program.current);
});

test("cash above what an agent may hold is written down, waits, and the agent hears why", async () => {
  const { phone, staff } = await makeAgent({ limitMinor: 10_000n });
  const home = await makeHousehold(program.current);
  const { call } = await atWork(phone, "3");
  expect(await call.saysAll(home.accountNumber, "150", "1")).toMatch(
    /^END Receipt \S+: KES 150\. It waits.*Hand over cash first/,
  );
  await program.current.settle();
  expect(await home.refreshed()).toMatchObject({ receivedMinor: 0n });
  expect(await app().cash.provisional(db(), { agentId: staff.id, limit: 5 })).toHaveLength(1);
});

test("an agent hands over what is in hand, and no more; the office counts it", async () => {
  const { phone, staff } = await makeAgent();
  const home = await makeHousehold(program.current);
  const collecting = await atWork(phone, "3");
  await collecting.call.saysAll(home.accountNumber, "150", "1");
  await program.current.settle();
  const { call, screen } = await atWork(phone, "4");
  expect(screen).toMatch(/^CON Hand over what is in your hands\?\n1\. KES 150/);
  expect(await call.says("1")).toMatch(/^CON Hand over KES 150 to the office\?/);
  expect(await call.saysAll("2", "200")).toMatch(/^CON Hand over KES 200/);
  expect(await call.says("1")).toMatch(/^END That is more than you have in hand/);
  const again = await atWork(phone, "4");
  const done = await again.call.saysAll("1", "2", "100", "1");
  expect(done).toMatch(/^END KES 100 are offered to the office/);
  expect(await again.call.hop(again.call.text)).toBe(done);
  const offers = await app().cash.handOvers(db(), { agentId: staff.id, first: 5 });
  expect(offers).toMatchObject([{ state: "offered", offered: { minor: 10_000n } }]);
  expect((await atWork(phone, "4")).screen).toContain("1. KES 50");
});

test("an agent looks an account up by its number, its phone or its serial: days left, debt, last payment", async () => {
  const { phone } = await makeAgent();
  const home = await makeHousehold(program.current);
  const collecting = await atWork(phone, "3");
  await collecting.call.saysAll(home.accountNumber, "150", "1");
  await program.current.settle();
  for (const text of [home.accountNumber, home.phone, home.serial]) {
    const call = dial(phone);
    await call.open();
    const told = await call.saysAll("5", "1", PIN, text);
    expect(told).toContain(`${home.accountNumber}: 3 days left.`);
    expect(told).toContain("Last payment: KES 150");
  }
});

test("for an agent of another area its people, contracts and devices do not exist", async () => {
  const { phone } = await makeAgent({ area: "gulu" });
  const home = await makeHousehold(program.current);
  expect(await (await atWork(phone, "3")).call.says(home.accountNumber)).toMatch(/^CON We do not know that account/);
  expect(await (await atWork(phone, "2")).call.says(home.phone)).toMatch(/^CON Nobody in your area has that number/);
  for (const text of [home.accountNumber, home.phone, home.serial]) {
    const call = dial(phone);
    await call.open();
    expect(await call.saysAll("5", "1", PIN, text)).toMatch(/^CON Nothing of your area was found/);
  }
});

test("a stranger with an agent's phone is locked out after five wrong PINs, and every door of the menu stays shut", async () => {
  const { phone } = await makeAgent();
  await atWork(phone, "1");
  const thief = dial(phone);
  await thief.open();
  await thief.says("3");
  for (let guess = 0; guess < 4; guess++)
    expect(await thief.says(`00${String(guess)}7`)).toMatch(/^CON That PIN is wrong/);
  expect(await thief.says("0047")).toMatch(/^END Too many wrong PINs/);
  expect((await atWork(phone, "4")).screen).toMatch(/^END Too many wrong PINs/);
  program.current.clock.advance(DAY_MS);
  expect((await atWork(phone, "4")).screen).toMatch(/^CON You have no cash to hand over/);
});

test("a PIN is asked once in a call, and again when a quarter of an hour has passed", async () => {
  const { phone } = await makeAgent();
  const { call } = await atWork(phone, "1");
  expect(await call.saysAll("00", "3")).toMatch(/^CON Type the account number of the customer/);
  expect(await call.says("00")).toMatch(/^CON Agent/);
  program.current.clock.advance(16 * MINUTE_MS);
  expect(await call.says("3")).toMatch(/^CON Type your PIN/);
});

test("whoever is disabled is no agent any more, and the phone is free for another", async () => {
  const { phone, staff } = await makeAgent();
  const { access } = app();
  await db().transaction((tx) =>
    access.setStaffDisabled(tx, { staffId: staff.id, disabled: true, actor: "system:test" }),
  );
  expect(await dial(phone).open()).toMatch(/^CON Welcome to Washa/);
  const other = await makeAgent();
  const change = { staffId: other.staff.id, phone, actor: "system:test" };
  await db().transaction((tx) => access.setStaffPhone(tx, change));
  expect(await dial(phone).open()).toMatch(/^CON Agent Mwende/);
  const third = await makeAgent();
  await expect(
    db().transaction((tx) => access.setStaffPhone(tx, { ...change, staffId: third.staff.id })),
  ).rejects.toThrow("Another person has this phone.");
  expect(await count(sql`select count(*)::int as count from access.staff where phone = ${phone}`)).toBe(1);
});
