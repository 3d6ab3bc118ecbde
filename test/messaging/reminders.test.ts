import { sql } from "drizzle-orm";
import { beforeEach, expect, test } from "vitest";
import { openReminders } from "../../src/message-rooms.ts";
import { TEST_START, useApp } from "../support/app.ts";
import { makeHousehold, pay, type Household } from "../support/village.ts";

const program = useApp();

beforeEach(() => program.current.clock.moveTo(TEST_START));

/** Nine in the morning in Nairobi, so many days after the start, and hours after that. */
function moveTo(day: number, hours = 0): void {
  program.current.clock.moveTo(new Date(TEST_START.getTime() + day * 86_400_000 + hours * 3_600_000));
}

function reminders() {
  const { app, clock } = program.current;
  return openReminders({ config: app.config, database: app.database, clock, modules: app });
}

async function remindersOf(home: Household): Promise<string[]> {
  return (await home.messages())
    .filter(({ template }) => template.startsWith("reminder_"))
    .map(({ template, values }) => `${template} ${values["days"] ?? ""}`.trim());
}

test("a family hears three days and one day before its light ends, when it ended, and after three and seven days, each once", async () => {
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "400" });
  const told: Record<number, string[]> = {};
  let before = 0;
  for (let day = 0; day <= 20; day++) {
    for (const hours of [0, 1, 5, 11]) {
      moveTo(day, hours);
      await reminders().once();
    }
    const all = await remindersOf(home);
    if (all.length > before) told[day] = all.slice(before);
    before = all.length;
  }
  expect(told).toEqual({
    5: ["reminder_low 3"],
    7: ["reminder_low 1"],
    8: ["reminder_locked"],
    11: ["reminder_locked_long 3"],
    15: ["reminder_locked_long 7"],
  });
});

test("two workers at once remind each family once", async () => {
  const homes = [];
  for (let at = 0; at < 5; at++) homes.push(await makeHousehold(program.current));
  for (const home of homes) await pay(program.current, { account: home.accountNumber, amount: "200" });
  moveTo(1);
  const told = await Promise.all([reminders().once(), reminders().once(), reminders().once()]);
  expect(told.reduce((sum, one) => sum + one, 0)).toBe(5);
  for (const home of homes) expect(await remindersOf(home)).toEqual(["reminder_low 3"]);
});

test("nobody is reminded before nine, at night, or on the day of a payment", async () => {
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "150" });
  await reminders().once();
  expect(await remindersOf(home)).toEqual([]);
  for (const hours of [-0.1, 12.1]) {
    moveTo(2, hours);
    await reminders().once();
    expect(await remindersOf(home)).toEqual([]);
  }
  moveTo(2);
  await reminders().once();
  expect(await remindersOf(home)).toEqual(["reminder_low 1"]);
});

test("who did not agree to messages about the own system is not reminded, and not later either", async () => {
  const home = await makeHousehold(program.current);
  const { app } = program.current;
  const agree = (isGiven: boolean) =>
    app.database.db.transaction((tx) =>
      app.customers.setConsent(tx, home.contract.customerId, { which: "service", isGiven }),
    );
  await pay(program.current, { account: home.accountNumber, amount: "200" });
  await agree(false);
  moveTo(1);
  await reminders().once();
  await agree(true);
  moveTo(1, 1);
  await reminders().once();
  expect(await remindersOf(home)).toEqual([]);
  expect((await home.messages()).map(({ template }) => template)).toEqual(["token_received"]);
});

test("who has paid everything is congratulated the same day, once, and never reminded of light again", async () => {
  const home = await makeHousehold(program.current, { terms: { totalMinor: 20_000n } });
  await pay(program.current, { account: home.accountNumber, amount: "200" });
  for (const hours of [0, 1, 24, 26]) {
    moveTo(0, hours);
    await reminders().once();
  }
  expect(await remindersOf(home)).toEqual(["reminder_paid_off"]);
});

test("a contract that ended light twice in a day is reminded once that day", async () => {
  const home = await makeHousehold(program.current);
  await pay(program.current, { account: home.accountNumber, amount: "50" });
  moveTo(1, 0.5);
  await reminders().once();
  // Its light moved within the day, as by a correction: another event, and the same family.
  await program.current.app.database.db.execute(
    sql`update credit.contracts set lamp_until_at = lamp_until_at - interval '10 hours' where id = ${home.contract.id}::uuid`,
  );
  await reminders().once();
  expect(await remindersOf(home)).toEqual(["reminder_locked"]);
});
