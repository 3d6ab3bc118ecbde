import fc from "fast-check";
import { expect, test } from "vitest";
import { makeStream } from "../../simulators/rail/chance.ts";
import { formatDecimal, parseAmount } from "../../simulators/rail/currency.ts";
import { makeFaultBox, noFaults } from "../../simulators/rail/faults.ts";
import { tamper } from "../../simulators/rail/news.ts";
import { decidePayer } from "../../simulators/rail/payers.ts";
import { makeTimetable } from "../../simulators/rail/timetable.ts";
import { makeManualClock } from "../../src/kernel/time.ts";

const START_MS = Date.UTC(2026, 10, 20);

test("things happen in order of time, and those of one moment in the order they were entered", async () => {
  const waits = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(waits, async (waitsMs) => {
      const clock = makeManualClock(new Date(START_MS));
      const troubles: unknown[] = [];
      const timetable = makeTimetable({ clock, onTrouble: (trouble) => troubles.push(trouble) });
      const happened: { waitMs: number; entry: number; at: number }[] = [];
      waitsMs.forEach((waitMs, entry) => {
        timetable.after(waitMs, () => void happened.push({ waitMs, entry, at: clock.now().getTime() - START_MS }));
      });
      await timetable.advanceTo(new Date(START_MS + 10));
      await timetable.advanceTo(new Date(START_MS + 20));
      const expected = waitsMs
        .map((waitMs, entry) => ({ waitMs, entry, at: waitMs }))
        .sort((left, right) => left.waitMs - right.waitMs || left.entry - right.entry);
      expect(happened).toEqual(expected);
      expect(troubles).toEqual([]);
      expect(timetable.waiting).toBe(0);
    }),
  );
});

test("what comes due by what happens still happens in the same advance, and not beyond it", async () => {
  const timetable = makeTimetable({ clock: makeManualClock(new Date(START_MS)), onTrouble: () => undefined });
  const happened: number[] = [];
  function again(): void {
    happened.push(timetable.now().getTime() - START_MS);
    timetable.after(4, again);
  }
  timetable.after(0, again);
  await timetable.advanceTo(new Date(START_MS + 10));
  expect(happened).toEqual([0, 4, 8]);
  expect(timetable.nextAt).toEqual(new Date(START_MS + 12));
});

test("what fails is told, and the rest goes on", async () => {
  const troubles: unknown[] = [];
  const clock = makeManualClock(new Date(START_MS));
  const timetable = makeTimetable({ clock, grainMs: 60_000, onTrouble: (trouble) => troubles.push(trouble) });
  let isDone = false;
  timetable.after(1, () => Promise.reject(new Error("broken")));
  timetable.after(2, () => void (isDone = true));
  await timetable.advanceTo(new Date(START_MS + 60_000));
  expect(troubles).toMatchObject([{ message: "broken" }]);
  expect(isDone).toBe(true);
});

test("a tampered body differs in one sign and stays of one length", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(), (text, seed) => {
      const body = JSON.stringify({ text, amount: 10 });
      const changed = tamper(body, makeStream(seed, "tamper"));
      const differing = body.split("").filter((sign, index) => sign !== changed[index]);
      expect(differing).toHaveLength(1);
      expect(changed).toHaveLength(body.length);
    }),
  );
});

test("a payer who pays another amount pays whole units, more than nothing, and not what was asked", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n, max: 10_000_000n }),
      fc.nat(),
      fc.constantFrom(1n, 100n),
      (asked, seed, wholeMinor) => {
        const chance = makeStream(seed, "payer");
        const faults = makeFaultBox({ ...noFaults, wrong_amount: 1 });
        const happens = (kind: keyof typeof noFaults) => faults.happens(kind, chance);
        const requestedMinor = asked * wholeMinor;
        const { amountMinor, failure } = decidePayer({
          happens,
          chance,
          requestedMinor,
          wholeMinor,
          tellsAmounts: true,
        });
        expect(failure).toBeUndefined();
        expect(amountMinor).toBeGreaterThan(0n);
        expect(amountMinor % wholeMinor).toBe(0n);
        expect(amountMinor).not.toBe(requestedMinor);
      },
    ),
  );
});

test("amounts are read as they are written, in a currency's own decimals", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 11n }), fc.constantFrom("KES", "UGX", "XOF"), (minor, currency) => {
      expect(parseAmount(formatDecimal(minor, currency), currency)).toBe(minor);
    }),
  );
  expect(parseAmount("150", "KES")).toBe(15_000n);
  expect(parseAmount("150.5", "UGX")).toBeUndefined();
  expect(parseAmount("1,500", "KES")).toBeUndefined();
});
