import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { actorOf, maySee } from "../../src/access/access.ts";
import { openClient, sqlStateOf } from "../../src/platform/database.ts";
import { useApp } from "../support/app.ts";
import { c2bBody, makeHousehold, pay, postC2b } from "../support/village.ts";
import { auditBooks } from "./books-audit.ts";
import { keptBy } from "./kept.ts";

const program = useApp();
const kept = keptBy(() => program.current);
const db = () => program.current.app.database.db;

async function stateOf(statement: Promise<unknown>): Promise<string | undefined> {
  return await statement.then(() => "accepted", sqlStateOf);
}

/** Asks something else of the same server: when it has answered, whatever could be answered before would have been. */
async function askSomethingElse(): Promise<void> {
  for (let at = 0; at < 5; at++) await (await fetch(`${program.current.url}/readyz`)).text();
}

describe("invariants", () => {
  test("invariant 1: postings sum to zero in every currency, and what was posted is never updated or deleted", async () => {
    const kenyan = await makeHousehold(program.current);
    await makeHousehold(program.current, { terms: { currency: "UGX", totalMinor: 900_000n } });
    await pay(program.current, { account: kenyan.accountNumber, amount: "123.45" });
    await pay(program.current, { account: "nobody", amount: "10" });
    const sums = await db().execute(
      sql`select currency, sum(amount_minor) as total from ledger.postings group by currency order by currency`,
    );
    expect([...sums]).toEqual([
      { currency: "KES", total: "0" },
      { currency: "UGX", total: "0" },
    ]);
    for (const table of [
      "ledger.transactions",
      "ledger.postings",
      "payments.receipts",
      "credit.allocations",
      "devices.tokens",
    ]) {
      expect(await stateOf(db().execute(sql.raw(`delete from ${table}`)))).toBe("42501");
      expect(await stateOf(db().execute(sql.raw(`truncate ${table} cascade`)))).toBe("42501");
    }
    expect(await stateOf(db().execute(sql`update ledger.postings set amount_minor = 1`))).toBe("42501");
  });

  test("invariant 2: a provider's transaction becomes one receipt however often it comes, and a receipt buys once", async () => {
    const home = await makeHousehold(program.current);
    const body = c2bBody(program.current, { account: home.accountNumber, amount: "50", transId: "INVARIANT2" });
    const answers = await Promise.all(Array.from({ length: 20 }, () => postC2b(program.current, body)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await Promise.all([program.current.settle(), program.current.settle()]);
    await postC2b(program.current, { ...body, TransID: "invariant2" });
    await program.current.settle();
    expect(await home.refreshed()).toMatchObject({ receivedMinor: 5_000n });
    expect([(await home.tokens()).length, (await home.messages()).length]).toEqual([1, 1]);
    const again = sql`insert into payments.receipts (id, callback_id, rail, provider_id, amount_minor, currency, reference, paid_at, booked_at, transaction_id)
      select gen_random_uuid(), callback_id, rail, provider_id, amount_minor, currency, reference, paid_at, booked_at, gen_random_uuid() from payments.receipts where provider_id = 'INVARIANT2'`;
    expect(await stateOf(db().execute(again))).toBe("23505");
    const buyAgain = sql`insert into credit.allocations select gen_random_uuid(), contract_id, cause, paid_at, received_minor, debt_minor, deposit_minor, spent_minor,
      carried_change_minor, refundable_minor, units, effect, paid_from_at, paid_until_at from credit.allocations where contract_id = ${home.contract.id}`;
    expect(await stateOf(db().execute(buyAgain))).toBe("23505");
  });

  test("invariant 3: every minor unit received is allocated, carried, in suspense, refundable or reversed", async () => {
    const { app } = program.current;
    const before = await everyMinorUnit();
    const [home, small] = [
      await makeHousehold(program.current),
      await makeHousehold(program.current, {
        terms: { totalMinor: 7_000n, depositMinor: 2_000n, depositBuysTime: false },
      }),
    ];
    await pay(program.current, { account: home.accountNumber, amount: "123.45" });
    await pay(program.current, { account: small.accountNumber, amount: "99.99" });
    await pay(program.current, { account: "nobody", amount: "0.01" });
    await db().transaction((tx) =>
      app.credit.adjust(tx, {
        contractId: home.contract.id,
        amountMinor: -10_000n,
        reason: "Taken back by the provider",
        actor: "test",
        key: "invariant-3",
      }),
    );
    await pay(program.current, { account: home.accountNumber, amount: "60" });
    const after = await everyMinorUnit();
    const grown = Object.fromEntries(
      Object.entries(after).map(([place, minor]) => [place, minor - (before[place] ?? 0n)]),
    );
    expect(grown).toEqual({
      received: 12_345n + 9_999n + 1n + 6_000n,
      paidForGoods: 10_000n + 7_000n,
      carried: 2_345n,
      suspense: 1n,
      refundable: 2_999n,
      reversed: -4_000n,
      adjusted: 10_000n,
    });
    // What was taken back stands against it: paid + carried + waiting + refundable + (debt repaid - debt made) = received.
    const placed =
      (grown["paidForGoods"] ?? 0n) +
      (grown["carried"] ?? 0n) +
      (grown["suspense"] ?? 0n) +
      (grown["refundable"] ?? 0n) +
      (grown["reversed"] ?? 0n) +
      (grown["adjusted"] ?? 0n);
    expect(placed).toBe(grown["received"]);
    await auditBooks(program.current);
  });

  test("invariant 4: one token for one receipt, device and count; a counter only grows; a resend repeats", async () => {
    const { app } = program.current;
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "100" });
    const [token] = await home.tokens();
    const again = await db().transaction((tx) =>
      app.credit.resendTokens(tx, { contractId: home.contract.id, key: "invariant-4" }),
    );
    expect(again.map(({ digits }) => digits)).toEqual([token]);
    const twin = (columns: string) =>
      stateOf(
        db().execute(
          sql`insert into devices.tokens select gen_random_uuid(), device_id, ${sql.raw(columns)}, issued_at from devices.tokens where device_id = ${home.contract.deviceId}`,
        ),
      );
    expect(await twin("count, kind, units, '1', 'another', 0")).toBe("23505");
    expect(await twin("count + 2, kind, units, '1', cause, part")).toBe("23505");
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    const counts = await db().execute<{ count: number }>(
      sql`select count from devices.tokens where device_id = ${home.contract.deviceId} order by issued_at, count`,
    );
    expect(counts.map(({ count }) => count)).toEqual(counts.map(({ count }) => count).toSorted((a, b) => a - b));
    expect((await app.devices.find(db(), home.contract.deviceId))?.count).toBe(counts.at(-1)?.count);
    for (const digits of await home.tokens()) expect(home.lamp.enter(digits).kind).toBe("VALID");
    expect(home.lamp.enter(token ?? "").kind).not.toBe("VALID");
    expect(home.lamp.face().daysLeft).toBe(3);
  });

  test("invariant 5: nothing is answered with success before it is committed", async () => {
    const blocker = openClient(program.current.app.config.databaseUrl ?? "", 1);
    const body = c2bBody(program.current, { account: "nobody", amount: "5", transId: "INVARIANT5" });
    let answered = false;
    let answer: ReturnType<typeof postC2b> | undefined;
    await blocker.begin(async (tx) => {
      await tx`lock table payments.pending in access exclusive mode`;
      answer = postC2b(program.current, body).finally(() => {
        answered = true;
      });
      await askSomethingElse();
      expect(answered).toBe(false);
    });
    expect(await answer).toMatchObject({ status: 200 });
    expect(await kept.callback("INVARIANT5")).toBeDefined();
    await blocker.end();
    await program.current.settle();
  });

  test("invariant 5: a commit that fails is never answered with success, and the provider's next try is booked once", async () => {
    const blocker = openClient(program.current.app.config.databaseUrl ?? "", 2);
    const body = c2bBody(program.current, { account: "nobody", amount: "5", transId: "INVARIANT5B" });
    let answer: ReturnType<typeof postC2b> | undefined;
    await blocker.begin(async (tx) => {
      await tx`lock table payments.pending in access exclusive mode`;
      answer = postC2b(program.current, body);
      for (let killed = 0; killed === 0;) {
        await askSomethingElse();
        const rows =
          await blocker`select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query like '%payments.pending%'`;
        killed = rows.length;
      }
    });
    expect((await answer)?.status).toBeGreaterThanOrEqual(500);
    expect(await kept.callback("INVARIANT5B")).toBeUndefined();
    await blocker.end();
    expect(await postC2b(program.current, body)).toMatchObject({ status: 200 });
    expect(await postC2b(program.current, body)).toMatchObject({ status: 200 });
    expect(await program.current.settle()).toBe(1);
  });

  test("invariant 6: receipt, token and message stand in PostgreSQL with the commit, before any queue has seen them", async () => {
    const home = await makeHousehold(program.current);
    await pay(program.current, { account: home.accountNumber, amount: "50" });
    expect(await home.tokens()).toHaveLength(1);
    const rows = await db().execute<{ relayed_at: string | null }>(sql`
      select o.relayed_at from platform.outbox o join messaging.messages m on o.payload::text like '%' || m.id || '%' where m.contract_id = ${home.contract.id}`);
    expect([...rows]).toEqual([{ relayed_at: null }]);
  });

  test("invariant 7: a person sees their own area, and a privileged act and its audit row stay or go together", async () => {
    const { access } = program.current.app;
    const person = {
      email: "otieno@washa.example",
      name: "Otieno",
      role: "agent",
      area: "kitui",
      language: "sw",
      passwordHash: await access.hashPassword("seven quiet lamps"),
      actor: "system:test",
    } as const;
    const undone = db().transaction(async (tx) => {
      await access.createStaff(tx, person);
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect(await access.listAudit({ limit: 10 })).toEqual([]);
    const agent = await db().transaction((tx) => access.createStaff(tx, person));
    expect(await access.listAudit({ limit: 10, subject: { kind: "staff", id: agent.id } })).toMatchObject([
      { actor: "system:test" },
    ]);
    expect([maySee(agent, "kitui"), maySee(agent, "meru")]).toEqual([true, false]);
    expect(actorOf(agent)).toContain(agent.id);
    expect(await stateOf(db().execute(sql`delete from access.audit`))).toBe("42501");
  });
});

/** Where the money of the rail stands, by kind of account. */
async function everyMinorUnit(): Promise<Record<string, bigint>> {
  const rows = await program.current.app.ledger.trialBalance(db());
  const sum = (pattern: RegExp, sign: bigint): bigint =>
    rows
      .filter(({ code, currency }) => currency === "KES" && pattern.test(code))
      .reduce((total, { balanceMinor }) => total + sign * balanceMinor, 0n);
  return {
    received: sum(/^system\/clearing\//, 1n),
    // The price that was owed and no longer is.
    paidForGoods: -sum(/^system\/sales\//, 1n) - sum(/\/receivable$/, 1n),
    carried: sum(/\/credit$/, -1n),
    suspense: sum(/^system\/suspense\//, -1n),
    refundable: sum(/\/refundable$/, -1n),
    reversed: sum(/\/debt$/, -1n),
    adjusted: sum(/^system\/adjustments\//, -1n),
  };
}
