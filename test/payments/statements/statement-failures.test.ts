import { describe, expect, test } from "vitest";
import type { Arrival } from "../../../src/payments/inbox/arrivals.ts";
import { storeArrivals } from "../../../src/payments/inbox/arrivals.store.ts";
import { openClient } from "../../../src/platform/database.ts";
import { useDatabase } from "../../support/database.ts";
import { feeLine, HEADER, KENYA, makeBureau, paymentLine, receiptNumber } from "./statement-files.ts";

const database = useDatabase();
const db = () => database.current.db;
let channels = 0;
/** A channel of the test's own, so that no test meets another one's references. */
const newChannel = () => ({ ...KENYA, name: `mpesa-${++channels}` });
const begin = (options: Parameters<typeof makeBureau>[1] = {}) => {
  const channel = newChannel();
  return { rail: channel.name, ...makeBureau(db, { channel, ...options }) };
};
const balancesOf = async (rail: string) =>
  Object.fromEntries(
    (
      await makeBureau(db).rows(
        `select a.code, b.balance_minor from ledger.accounts a join ledger.balances b on b.account_id = a.id where a.code like '%${rail}/%'`,
      )
    ).map(({ code, balance_minor }) => [String(code).replace(rail, "…"), Number(balance_minor)]),
  );

describe("a file that fails in the middle", () => {
  const file = [
    HEADER,
    ...Array.from({ length: 2_500 }, (_, at) =>
      at % 5 === 4 ? feeLine(receiptNumber(at)) : paymentLine(receiptNumber(at)),
    ),
  ].join("\n");
  const leftOf = async (bureau: ReturnType<typeof begin>) => ({
    statements: await bureau.count(`payments.statements where rail = '${bureau.rail}'`),
    callbacks: await bureau.count(`payments.callbacks where rail = '${bureau.rail}'`),
    listed: await bureau.count(`payments.listed where rail = '${bureau.rail}'`),
    exceptions: await bureau.count(`payments.exceptions where rail = '${bureau.rail}'`),
    balances: await balancesOf(bureau.rail),
  });
  const nothing = { statements: 0, callbacks: 0, listed: 0, exceptions: 0, balances: {} };

  test("because the database refused a row leaves nothing, and is taken whole when it is given again", async () => {
    const bureau = begin();
    const owner = openClient(database.url, 1);
    await owner.unsafe(
      `alter table payments.listed add constraint injected check (not (rail = '${bureau.rail}' and provider_id = '${receiptNumber(1_700)}'))`,
    );
    const progress: number[] = [];
    await expect(bureau.import(file, { onProgress: ({ lines }) => progress.push(lines) })).rejects.toThrow(
      "Failed query",
    );
    expect(progress).toEqual([1_000]);
    expect(await leftOf(bureau)).toEqual(nothing);
    await owner.unsafe("alter table payments.listed drop constraint injected");
    await owner.end();
    expect(await bureau.import(file)).toMatchObject({
      linesTotal: 2_500,
      taken: 2_500,
      byKind: { fee: { lines: 500 } },
    });
    expect(await balancesOf(bureau.rail)).toMatchObject({ "system/fees/…/KES": 27_500 });
  });

  test("because the posting of fees failed leaves nothing either", async () => {
    const bureau = begin();
    const owner = openClient(database.url, 1);
    await owner.unsafe(
      `alter table ledger.transactions add constraint injected check (idempotency_key <> 'fee:${bureau.rail}:${receiptNumber(2_499)}')`,
    );
    await expect(bureau.import(file)).rejects.toThrow("Failed query");
    expect(await leftOf(bureau)).toEqual(nothing);
    await owner.unsafe("alter table ledger.transactions drop constraint injected");
    await owner.end();
  });

  test("because of a deadlock begins again by itself", async () => {
    let calls = 0;
    const seen: Arrival[] = [];
    const bureau = begin({
      store: async (tx, arrivals) => {
        if (++calls === 2) throw Object.assign(new Error("deadlock detected"), { code: "40P01" });
        seen.push(...arrivals);
        return await storeArrivals(tx, arrivals);
      },
    });
    expect(await bureau.import(file)).toMatchObject({ taken: 2_500, known: 0 });
    expect(seen).toHaveLength(2_800);
    expect(await bureau.count(`payments.callbacks where rail = '${bureau.rail}'`)).toBe(2_000);
  });
});
