import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { expect, test } from "vitest";
import {
  makeAccess,
  maySee,
  WrongCredentials,
  type Access,
  type NewStaff,
  type Staff,
} from "../../src/access/access.ts";
import { decideAttempt, normalizeEmail, sourceKey } from "../../src/access/login-limits.ts";
import { hashPassword, PASSWORD_COST, verifyPassword } from "../../src/access/passwords.ts";
import { makeIds } from "../../src/kernel/ids.ts";
import { InvalidInput, TooMany } from "../../src/kernel/refusal.ts";
import { HOUR_MS, makeManualClock, MINUTE_MS } from "../../src/kernel/time.ts";
import { sqlStateOf } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
const clock = makeManualClock(new Date("2026-11-20T09:00:00Z"));
const QUICK = { cost: 1_024, blockSize: 8, parallelism: 1 };
const PASSWORD = "seven quiet lamps";
let people = 0;

function accessOf(): Access {
  return makeAccess({ db: database.current.db, clock, makeId: makeIds(clock), passwordCost: QUICK });
}

async function addStaff(changes: Partial<NewStaff> = {}): Promise<Staff> {
  const access = accessOf();
  const passwordHash = await access.hashPassword(PASSWORD);
  const person: NewStaff = {
    email: `person${++people}@example.org`,
    name: "Asha",
    role: "operations",
    area: null,
    language: "sw",
    passwordHash,
    actor: "system:test",
    ...changes,
  };
  return database.current.db.transaction((tx) => access.createStaff(tx, person));
}

const from = (n: number) => ({ password: PASSWORD, sourceAddress: `192.0.2.${n}` });

test("a session opens with the password, names its owner, and ends by logging out or by time", async () => {
  const access = accessOf();
  const asha = await addStaff();
  const first = await access.login({ email: ` ${asha.email.toUpperCase()}`, ...from(1) });
  const second = await access.login({ email: asha.email, ...from(1) });
  expect((await access.findActor(first.token))?.id).toBe(asha.id);
  await access.logout(first.token);
  await access.logout(first.token);
  expect(await access.findActor(first.token)).toBeUndefined();
  expect((await access.findActor(second.token))?.id).toBe(asha.id);
  clock.advance(12 * HOUR_MS);
  expect(await access.findActor(second.token)).toBeUndefined();
});

test("the database holds neither a session's token nor a password", async () => {
  const access = accessOf();
  const { token } = await access.login({ email: (await addStaff()).email, ...from(2) });
  const [row] = await database.current.db.execute<{ staff: string; sessions: string; digests: number }>(sql`
    select (select string_agg(s::text, ' ') from access.staff s) as staff, (select string_agg(s::text, ' ') from access.sessions s) as sessions,
           (select count(*)::int from access.sessions where token_sha256 = ${createHash("sha256").update(token).digest()}) as digests`);
  expect(`${row?.staff} ${row?.sessions}`).not.toContain(token);
  expect(row?.staff).not.toContain(PASSWORD);
  expect(row?.digests).toBe(1);
});

test("unknown address, wrong password and disabled person get the same answer", async () => {
  const access = accessOf();
  const gone = await addStaff();
  const { token } = await access.login({ email: gone.email, ...from(3) });
  await database.current.db.transaction((tx) =>
    access.setStaffDisabled(tx, { staffId: gone.id, disabled: true, actor: "system:test" }),
  );
  expect(await access.findActor(token)).toBeUndefined();
  const failures = await Promise.all([
    access.login({ email: "nobody@example.org", ...from(3) }).catch(String),
    access.login({ email: (await addStaff()).email, ...from(3), password: "wrong" }).catch(String),
    access.login({ email: gone.email, ...from(3) }).catch(String),
  ]);
  expect(new Set(failures)).toEqual(new Set([String(new WrongCredentials())]));
});

test("the sixth wrong password in a quarter of an hour is not even looked at, however the address is written", async () => {
  const access = accessOf();
  const { email } = await addStaff();
  for (let guess = 0; guess < 5; guess++) {
    const spelling = guess % 2 === 0 ? email : ` ${email.toUpperCase()} `;
    await expect(access.login({ email: spelling, ...from(10 + guess), password: "guess" })).rejects.toBeInstanceOf(
      WrongCredentials,
    );
  }
  await expect(access.login({ email, ...from(20) })).rejects.toBeInstanceOf(TooMany);
  clock.advance(15 * MINUTE_MS);
  expect((await access.login({ email, ...from(20) })).staff.email).toBe(email);
});

test("guesses made at the same moment by several processes count each other", async () => {
  const { email } = await addStaff();
  const guesses = Array.from({ length: 20 }, (_, n) => accessOf().login({ email, ...from(30 + n), password: "guess" }));
  const outcomes = await Promise.allSettled(guesses);
  const looked = outcomes.filter(
    (outcome) => outcome.status === "rejected" && outcome.reason instanceof WrongCredentials,
  );
  expect(looked).toHaveLength(5);
});

test("one's own success forgives one's slips, but not those of the same source elsewhere", async () => {
  const access = accessOf();
  const { email } = await addStaff();
  for (let round = 0; round < 3; round++) {
    for (let slip = 0; slip < 4; slip++) {
      await expect(access.login({ email, ...from(60), password: "slip" })).rejects.toBeInstanceOf(WrongCredentials);
    }
    clock.advance(1);
    await access.login({ email, ...from(60) });
    clock.advance(1);
  }
  for (let n = 0; n < 18; n++) {
    await expect(access.login({ email: `guess${n}@example.org`, ...from(60) })).rejects.toBeInstanceOf(
      WrongCredentials,
    );
  }
  await expect(access.login({ email: "other@example.org", ...from(60) })).rejects.toBeInstanceOf(TooMany);
  expect((await access.login({ email, ...from(61) })).staff.email).toBe(email);
});

test("a person is made once per address, and only agents have an area", async () => {
  const first = await addStaff();
  await expect(addStaff({ email: first.email.toUpperCase() })).rejects.toBeInstanceOf(InvalidInput);
  await expect(addStaff({ role: "agent" })).rejects.toBeInstanceOf(InvalidInput);
  await expect(addStaff({ area: "Kisumu" })).rejects.toBeInstanceOf(InvalidInput);
  await expect(addStaff({ email: "nobody" })).rejects.toBeInstanceOf(InvalidInput);
  await expect(accessOf().hashPassword("short")).rejects.toBeInstanceOf(InvalidInput);
  const agent = await addStaff({ role: "agent", area: "Kisumu" });
  expect([maySee(agent, "Kisumu"), maySee(agent, "Gulu"), maySee(first, "Gulu")]).toEqual([true, false, true]);
});

test("what was done is in the audit, in the transaction of the act, and cannot be changed", async () => {
  const access = accessOf();
  const { db } = database.current;
  const agent = await addStaff({ role: "agent", area: "Kisumu" });
  const undone = db.transaction(async (tx) => {
    await access.setStaffDisabled(tx, { staffId: agent.id, disabled: true, actor: "system:test" });
    throw new Error("changed our mind");
  });
  await expect(undone).rejects.toThrow("changed our mind");
  const entries = await access.listAudit({ limit: 5, subject: { kind: "staff", id: agent.id } });
  expect(entries.map(({ action, detail }) => ({ action, detail }))).toEqual([
    { action: "staff.create", detail: { role: "agent", area: "Kisumu" } },
  ]);
  expect(await db.execute(sql`update access.audit set actor = 'nobody'`).then(() => "changed", sqlStateOf)).toBe(
    "42501",
  );
  expect(await db.execute(sql`delete from access.audit`).then(() => "deleted", sqlStateOf)).toBe("42501");
});

test("an act with a limit is counted by the audit itself, also when tried at the same moment", async () => {
  const access = accessOf();
  const entry = { actor: "staff:1", action: "token.resend", subjectKind: "contract", subjectId: "c1", detail: {} };
  const limit = { timesMax: 3, windowMs: HOUR_MS };
  const act = () => database.current.db.transaction((tx) => access.auditLimited(tx, entry, limit));
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, act));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  await expect(act()).rejects.toBeInstanceOf(TooMany);
  clock.advance(HOUR_MS);
  await act();
});

test("the sweep forgets old guesses and keeps the audit", async () => {
  const access = accessOf();
  await expect(access.login({ email: "nobody@example.org", ...from(90) })).rejects.toBeInstanceOf(WrongCredentials);
  clock.advance(31 * 24 * HOUR_MS);
  await access.sweep();
  const [row] = await database.current.db.execute<{ attempts: number; sessions: number }>(sql`
    select (select count(*)::int from access.login_attempts) as attempts, (select count(*)::int from access.sessions) as sessions`);
  expect(row).toEqual({ attempts: 0, sessions: 0 });
});

test("a password is stored with the price of a guess, and only the password opens it", async () => {
  const stored = await hashPassword(PASSWORD, Buffer.alloc(16, 7), PASSWORD_COST);
  expect(stored).toMatch(/^scrypt\$32768\$8\$3\$/);
  expect(await verifyPassword(PASSWORD, stored)).toBe(true);
  expect(await verifyPassword(`${PASSWORD}!`, stored)).toBe(false);
});

test("limits look at the right failures, and one subscriber's IPv6 addresses are one source", () => {
  const at = (minutes: number) => new Date(Date.UTC(2026, 10, 20, 9, minutes));
  const failures = [5, 4, 3, 2, 1].map(at);
  expect(decideAttempt({ accountFailures: failures.slice(1), sourceFailures: failures })).toEqual({ allowed: true });
  expect(decideAttempt({ accountFailures: failures, sourceFailures: failures })).toEqual({
    allowed: false,
    retryAt: at(16),
  });
  expect(sourceKey("2001:DB8:0:1::5")).toBe(sourceKey("2001:db8::1:ffff:0:0:1"));
  expect(sourceKey("2001:db8:0:2::5")).not.toBe(sourceKey("2001:db8:0:1::5"));
  expect(sourceKey("192.0.2.1")).toBe("192.0.2.1");
  expect(normalizeEmail(" Ａsha@Example.org ")).toBe("asha@example.org");
});
