import { describe, expect, test } from "vitest";
import { HOUR_MS, MINUTE_MS } from "../../../src/kernel/time.ts";
import type { EnquiryOutcome } from "../../../src/payments/rails/rail.ts";
import { decideAfterEnquiry, enquiryPauseMs, type RequestStanding } from "../../../src/payments/requests/requests.ts";

const ASKED_AT = new Date("2026-11-20T06:00:00Z");
const later = (millis: number): Date => new Date(ASKED_AT.getTime() + millis);
const RULES = {
  isRepeatable: true,
  canEnquire: true,
  schedule: { firstAfterMs: 20_000, expiresAfterMs: 30 * MINUTE_MS },
};
const SILENT: EnquiryOutcome = { kind: "unreachable", reason: "HTTP 500" };

function standing(change: Partial<RequestStanding> = {}): RequestStanding {
  return {
    state: "pending",
    wasAccepted: true,
    enquiries: 0,
    attempts: 1,
    createdAt: ASKED_AT,
    expiresAt: later(30 * MINUTE_MS),
    ...change,
  };
}

describe("a request that is paid and asked about again, because the payment is said to have gone back", () => {
  const paid = standing({ state: "completed" });

  test.each<[string, EnquiryOutcome]>([
    ["the provider is silent", SILENT],
    ["the provider does not know it any more", { kind: "not_found", reason: "gone" }],
    ["the answer comes to a door later", { kind: "asked" }],
  ])("stays paid when %s", (_what, outcome) => {
    expect(decideAfterEnquiry(paid, outcome, { now: later(2 * HOUR_MS), rules: RULES })).toMatchObject({
      state: "completed",
    });
  });

  test("is asked about a few times more while the provider is silent, and then no more", () => {
    const next = (now: Date) => decideAfterEnquiry(paid, SILENT, { now, rules: RULES }).nextStepAt;
    expect(next(later(40 * MINUTE_MS))).toEqual(later(30 * MINUTE_MS + HOUR_MS));
    expect(next(later(100 * HOUR_MS))).toBeUndefined();
  });
});

describe("a request that nobody has answered", () => {
  test("is asked about by its last minute, and not only after it", () => {
    const step = decideAfterEnquiry(standing({ enquiries: 8 }), SILENT, { now: later(28 * MINUTE_MS), rules: RULES });
    expect(step).toMatchObject({ state: "pending", nextStepAt: later(30 * MINUTE_MS) });
  });

  test("is never given up because the provider is silent: it is expired, and looked at again", () => {
    const step = decideAfterEnquiry(standing(), SILENT, { now: later(31 * MINUTE_MS), rules: RULES });
    expect(step).toMatchObject({ state: "expired", nextStepAt: later(30 * MINUTE_MS + HOUR_MS) });
  });

  test("is looked at again within the hour when the look after its time met silence, and by the timetable when it did not", () => {
    const look = (outcome: EnquiryOutcome) =>
      decideAfterEnquiry(standing({ state: "expired" }), outcome, { now: later(90 * MINUTE_MS), rules: RULES })
        .nextStepAt;
    expect(look(SILENT)).toEqual(later(90 * MINUTE_MS + HOUR_MS));
    expect(look({ kind: "asked" })).toEqual(later(30 * MINUTE_MS + 6 * HOUR_MS));
  });

  test("is asked about with pauses that grow to five minutes", () => {
    expect([0, 1, 4, 5, 50].map(enquiryPauseMs)).toEqual([15_000, 30_000, 240_000, 300_000, 300_000]);
  });
});
