import { describe, expect, test } from "vitest";
import type { Terms } from "../../src/credit/terms.ts";
import { parseRational } from "../../src/kernel/rational.ts";
import { InvalidInput, NotFound } from "../../src/kernel/refusal.ts";
import { DAY_MS } from "../../src/kernel/time.ts";
import type { Tx } from "../../src/platform/database.ts";
import { TEST_START, useApp } from "../support/app.ts";
import { PLAIN_TERMS, makeHousehold } from "../support/village.ts";

const program = useApp();
const within = <Value>(act: (tx: Tx) => Promise<Value>): Promise<Value> =>
  program.current.app.database.db.transaction(act);
const plans = () => program.current.app.credit.plans;
const create = (code: string, terms: Partial<Terms> = {}, effectiveAt?: Date) =>
  within((tx) => plans().create(tx, { code, name: "Home", terms: { ...PLAIN_TERMS, ...terms }, effectiveAt }));
const day = (number: number): Date => new Date(TEST_START.getTime() + number * DAY_MS);

describe("a plan", () => {
  test("is read back exactly, nine decimals of its price included", async () => {
    const terms: Partial<Terms> = {
      price: parseRational("565.4761905"),
      priceSeconds: 3_600,
      totalMinor: null,
      depositMinor: 7n,
      depositBuysTime: false,
      freeSeconds: 5,
      graceDays: 3,
    };
    const made = await create("exact", terms);
    const found = await plans().requireInForce(program.current.app.database.db, "exact", TEST_START);
    expect(found).toEqual(made);
    expect(found).toMatchObject(terms);
  });

  test("has a code of its own, in small letters, and a name", async () => {
    await create("taken");
    await expect(create("taken")).rejects.toThrow(/already/);
    for (const code of ["", "Home 60", "-x", "x".repeat(64), "x'y"])
      await expect(create(code)).rejects.toThrow(InvalidInput);
    await expect(
      within((tx) => plans().create(tx, { code: "unnamed", name: " ", terms: PLAIN_TERMS })),
    ).rejects.toThrow(/name/);
    await expect(create("free", { price: { numerator: 0n, denominator: 1n } })).rejects.toThrow(InvalidInput);
  });

  test("sells under the version in force at the moment of the sale", async () => {
    await create("versioned", {}, day(0));
    await within((tx) =>
      plans().change(tx, { code: "versioned", terms: { ...PLAIN_TERMS, totalMinor: 600_000n }, effectiveAt: day(2) }),
    );
    const { db } = program.current.app.database;
    const versionAt = async (at: Date) => (await plans().requireInForce(db, "versioned", at)).version;
    expect([
      await versionAt(day(0)),
      await versionAt(new Date(day(2).getTime() - 1)),
      await versionAt(day(2)),
      await versionAt(day(9)),
    ]).toEqual([1, 1, 2, 2]);
    await expect(plans().requireInForce(db, "versioned", new Date(day(0).getTime() - 1))).rejects.toThrow(NotFound);
    await expect(plans().requireInForce(db, "nowhere", day(0))).rejects.toThrow(NotFound);
  });

  test("changes forward only, in its own currency, and only when there is one", async () => {
    await create("forward", {}, day(1));
    const change = (code: string, terms: Partial<Terms>, effectiveAt: Date) =>
      within((tx) => plans().change(tx, { code, terms: { ...PLAIN_TERMS, ...terms }, effectiveAt }));
    await expect(change("forward", {}, day(1))).rejects.toThrow(/after the version before/);
    await expect(change("forward", {}, day(0))).rejects.toThrow(InvalidInput);
    await expect(change("forward", { currency: "UGX" }, day(2))).rejects.toThrow(/currency/);
    await expect(change("backward", {}, day(2))).rejects.toThrow(NotFound);
    await expect(change("forward", { totalMinor: -1n }, day(2))).rejects.toThrow(InvalidInput);
  });

  test("changed by two people at once has versions one after the other, not one lost", async () => {
    await create("contested", {}, day(0));
    const changes = await Promise.allSettled(
      [day(1), day(2), day(3)].map((effectiveAt) =>
        within((tx) => plans().change(tx, { code: "contested", terms: PLAIN_TERMS, effectiveAt })),
      ),
    );
    const versions = (await plans().list(program.current.app.database.db))
      .filter(({ code }) => code === "contested")
      .map(({ version }) => version);
    expect(versions).toEqual(
      Array.from({ length: 1 + changes.filter(({ status }) => status === "fulfilled").length }, (_, at) => at + 1),
    );
    const refusals = changes.flatMap((change): unknown[] => (change.status === "rejected" ? [change.reason] : []));
    expect(refusals.filter((refusal) => !(refusal instanceof InvalidInput))).toEqual([]);
  });
});

test("a contract keeps the version it was sold under; the next sale is made under the new one", async () => {
  await create("kept", {}, TEST_START);
  const before = await makeHousehold(program.current, { planCode: "kept" });
  program.current.clock.advance(DAY_MS);
  const changed = await within((tx) =>
    plans().change(tx, {
      code: "kept",
      terms: { ...PLAIN_TERMS, totalMinor: 900_000n },
      effectiveAt: program.current.clock.now(),
    }),
  );
  const after = await makeHousehold(program.current, { planCode: "kept" });
  expect((await before.refreshed()).outstandingMinor).toBe(500_000n);
  expect((await before.refreshed()).planVersionId).not.toBe(changed.id);
  expect(await after.refreshed()).toMatchObject({ outstandingMinor: 900_000n, planVersionId: changed.id });
});
