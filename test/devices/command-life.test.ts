import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isOpen,
  LEASE_MS,
  refuseCancel,
  stepOf,
  type CommandEvent,
  type CommandStanding,
} from "../../src/devices/command-life.ts";
import {
  commandMessage,
  writeCommandMessage,
  type CommandBody,
  type CommandKind,
} from "../../src/devices/command-payload.ts";

const START = Date.parse("2026-03-02T06:00:00Z");
const EXPIRY_MS = 3_600_000;

const fresh = (tokenCount: number | null, kind: CommandKind = "deliver_tokens"): CommandStanding => ({
  kind,
  state: "queued",
  attempts: 0,
  attemptsMax: 5,
  nextAttemptAt: new Date(START),
  expiresAt: new Date(START + EXPIRY_MS),
  tokenCount,
});

type Blow = Omit<CommandEvent, "at"> & { readonly afterMs: number };

const answered = fc.record({
  kind: fc.constant("answered" as const),
  outcome: fc.constantFrom("done" as const, "refused" as const, "failed" as const),
  detail: fc.constant(undefined),
});
const anything = fc.oneof(
  fc.record({ kind: fc.constantFrom("claimed" as const, "time_passed" as const, "withdrawn" as const) }),
  fc.record({ kind: fc.constant("delivered" as const), attempt: fc.integer({ min: 0, max: 6 }) }),
  fc.record({
    kind: fc.constant("not_sent" as const),
    attempt: fc.integer({ min: 0, max: 6 }),
    detail: fc.constant("away"),
  }),
  answered,
  fc.record({ kind: fc.constant("confirmed" as const), tokenCount: fc.integer({ min: 0, max: 20 }) }),
  fc.record({ kind: fc.constant("cancelled" as const), detail: fc.constant("mistake") }),
);
const blows = fc.array(
  fc
    .tuple(anything, fc.integer({ min: 0, max: EXPIRY_MS / 3 }))
    .map(([event, afterMs]) => ({ ...event, afterMs }) as Blow),
  { maxLength: 60 },
);
const tokenCounts = fc.option(fc.integer({ min: 1, max: 20 }), { nil: null });

/** Lives through the events, calling `look` with each step taken. */
function live(
  tokenCount: number | null,
  events: readonly Blow[],
  look: (before: CommandStanding, event: CommandEvent, after: CommandStanding) => void,
): CommandStanding {
  let standing = fresh(tokenCount);
  let at = START;
  for (const { afterMs, ...event } of events) {
    at += afterMs;
    const happened = { ...event, at: new Date(at) } as CommandEvent;
    const step = stepOf(standing, happened);
    if (step === undefined) continue;
    const after = { ...standing, ...step };
    look(standing, happened, after);
    standing = after;
  }
  return standing;
}

describe("whatever happens to a command", () => {
  test("it is never sent after its expiry, nor more often than allowed, nor while a lease runs", () => {
    fc.assert(
      fc.property(tokenCounts, blows, (tokenCount, events) => {
        let leasedUntil = 0;
        live(tokenCount, events, (before, event, after) => {
          if (event.kind !== "claimed") {
            if (after.state !== "sent") leasedUntil = 0;
            return;
          }
          expect(event.at < before.expiresAt).toBe(true);
          expect(after.attempts).toBe(before.attempts + 1);
          expect(after.attempts <= after.attemptsMax).toBe(true);
          expect(event.at.getTime() >= leasedUntil).toBe(true);
          leasedUntil = event.at.getTime() + LEASE_MS;
        });
      }),
    );
  });

  test("an end stays, but that a device may still say what became of a command whose time passed on its way", () => {
    fc.assert(
      fc.property(tokenCounts, blows, (tokenCount, events) => {
        live(tokenCount, events, (before, event, after) => {
          if (isOpen(before.state)) return;
          expect([before.state, event.kind]).toEqual(["expired", "answered"]);
          expect(["done", "refused", "failed"]).toContain(after.state);
        });
      }),
    );
  });

  test("an answer twice changes nothing the second time, and one to a command that was never sent changes nothing at all", () => {
    fc.assert(
      fc.property(tokenCounts, blows, answered, (tokenCount, events, answer) => {
        const standing = live(tokenCount, events, () => undefined);
        const event = { ...answer, at: new Date(START + EXPIRY_MS * 30) } as CommandEvent;
        const step = stepOf(standing, event);
        expect(standing.attempts > 0 || step === undefined).toBe(true);
        expect(stepOf({ ...standing, ...step }, event)).toBeUndefined();
      }),
    );
  });

  test("every command ends once its time has passed", () => {
    fc.assert(
      fc.property(tokenCounts, blows, (tokenCount, events) => {
        const standing = live(tokenCount, events, () => undefined);
        const late = { kind: "time_passed", at: new Date(START + EXPIRY_MS * 30) } as const;
        expect(isOpen({ ...standing, ...stepOf(standing, late) }.state)).toBe(false);
      }),
    );
  });
});

describe("one command", () => {
  const at = (millis: number): Date => new Date(START + millis);
  const sent: CommandStanding = { ...fresh(7), state: "sent", attempts: 1, nextAttemptAt: at(LEASE_MS) };

  test("whose gateway died is sent again when the lease has ended, and the late PUBACK of the first sending changes nothing", () => {
    expect(stepOf(sent, { kind: "claimed", at: at(LEASE_MS - 1) })).toBeUndefined();
    const again = stepOf(sent, { kind: "claimed", at: at(LEASE_MS) });
    expect(again).toMatchObject({ state: "sent", attempts: 2 });
    const standing = { ...sent, ...again };
    expect(stepOf(standing, { kind: "delivered", attempt: 1, at: at(LEASE_MS + 1) })).toBeUndefined();
    expect(stepOf(standing, { kind: "delivered", attempt: 2, at: at(LEASE_MS + 1) })).toMatchObject({
      state: "delivered",
    });
  });

  test("is confirmed by a count that is its token's, and by no other: a lamp that counts a later one may never have had it", () => {
    const setting: CommandStanding = { ...sent, kind: "lock" };
    for (const standing of [sent, setting]) {
      expect(stepOf(standing, { kind: "confirmed", tokenCount: 6, at: at(1) })).toBeUndefined();
      expect(stepOf(standing, { kind: "confirmed", tokenCount: 7, at: at(1) })).toMatchObject({ state: "done" });
    }
    // The lamp still takes paid days from before, so they are sent on; a setting from before it refuses.
    expect(stepOf(sent, { kind: "confirmed", tokenCount: 9, at: at(1) })).toBeUndefined();
    expect(stepOf(setting, { kind: "confirmed", tokenCount: 9, at: at(1) })).toMatchObject({ state: "failed" });
  });

  test("with a token cannot be taken back once it may have been heard; one without can", () => {
    expect(refuseCancel(fresh(7))).toBeUndefined();
    expect(refuseCancel(sent)).toMatch(/may have this token/);
    expect(refuseCancel({ ...sent, tokenCount: null })).toBeUndefined();
  });

  test("pauses longer and longer between sendings, an hour at most", () => {
    const pauses = [1, 2, 3, 4, 20].map((attempts) => {
      const standing = { ...sent, attempts, attemptsMax: 30 };
      const step = stepOf(standing, { kind: "not_sent", attempt: attempts, detail: "away", at: at(0) });
      return ((step?.nextAttemptAt.getTime() ?? 0) - START) / 1_000;
    });
    expect(pauses).toEqual([5, 10, 20, 40, 3_600]);
  });
});

describe("what a device is told", () => {
  const bodies: readonly CommandBody[] = [
    { kind: "set_days", days: 30, tokens: ["012345678"] },
    { kind: "lock", tokens: ["012345678"] },
    { kind: "unlock", tokens: ["012345678"] },
    { kind: "deliver_tokens", tokens: ["012345678", "111222333"] },
    { kind: "fetch_data", from: 1_772_000_000 },
    { kind: "set_interval", seconds: 900 },
    {
      kind: "offer_firmware",
      version: "2.1.0",
      url: "https://firmware.example.org/home-60/2.1.0.bin",
      bytes: 400_000,
      sha256: "ab".repeat(32),
    },
  ];
  const id = "01957a3c-0000-7000-8000-000000000001";

  test.each(bodies)("is the documented JSON, the same bytes each time: $kind", (body) => {
    const parts = { id, issuedAt: new Date(START), expiresAt: new Date(START + EXPIRY_MS), body };
    const bytes = Buffer.from(writeCommandMessage(parts));
    expect(commandMessage.parse(JSON.parse(bytes.toString()))).toEqual({
      id,
      issued: START / 1_000,
      expires: (START + EXPIRY_MS) / 1_000,
      ...body,
    });
    expect(Buffer.from(writeCommandMessage(parts)).equals(bytes)).toBe(true);
    expect(bytes.length).toBeLessThan(400);
  });
});
