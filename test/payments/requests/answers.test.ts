import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, test } from "vitest";
import { makeIds } from "../../../src/kernel/ids.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { storeAnswer, type ProviderAnswer } from "../../../src/payments/inbox/answers.store.ts";
import type { Notice } from "../../../src/payments/inbox/notices.store.ts";
import { makeNoticeJobs } from "../../../src/payments/inbox/notices.jobs.ts";
import { makeEnquiryEnds, type OpenRails, type Payouts } from "../../../src/payments/payments.ts";
import type { Report } from "../../../src/payments/rails/rail.ts";
import { useDatabase } from "../../support/database.ts";

const database = useDatabase();
const clock = makeManualClock(new Date("2026-11-20T06:00:00Z"));
const makeId = makeIds(clock);
const rails: OpenRails = new Map();

const PAID: Report = {
  type: "billpay",
  transactionStatus: "completed",
  transactionReference: undefined,
  correlation: undefined,
  originalTransactionReference: undefined,
  amount: { minor: 5_000n, currency: "KES" },
  creditParty: "600966",
  reference: "PG-10008",
  payer: { phone: undefined, hash: undefined, name: undefined },
  at: clock.now(),
  statusReason: undefined,
};
const answerOf = (transactionReference: string, minor: bigint | undefined): ProviderAnswer => {
  const amount = minor === undefined ? undefined : ({ minor, currency: "KES" } as const);
  return {
    rail: "toy",
    zone: "Africa/Nairobi",
    reports: [{ ...PAID, transactionReference, amount }],
    raw: Buffer.from(`${transactionReference} ${minor}`),
    at: clock.now(),
    subject: transactionReference,
    amount,
  };
};
const hear = (answer: ProviderAnswer) => database.current.db.transaction((tx) => storeAnswer(tx, answer, makeId));
const rows = (of: ReturnType<typeof sql>) => database.current.db.execute(of);

/** None of what is heard here is about a payout. */
const nobody: Payouts = {} as Payouts;

describe("a provider's answer", () => {
  test("that names another amount than is booked is an exception for a person, once", async () => {
    const id = randomUUID().toUpperCase();
    await hear(answerOf(id, 5_000n));
    for (const _time of [1, 2]) await hear(answerOf(id, 7_000n));
    expect(await rows(sql`select amount_minor from payments.callbacks where provider_id = ${id}`)).toEqual([
      { amount_minor: "5000" },
    ]);
    expect(await rows(sql`select kind, amount_minor from payments.exceptions where subject = ${id}`)).toEqual([
      { kind: "amount_differs", amount_minor: "7000" },
    ]);
  });

  test("that names no account, of a payment that another answer named one for, is the same payment", async () => {
    const id = randomUUID().toUpperCase();
    await hear(answerOf(id, 5_000n));
    const nameless = answerOf(id, 5_000n);
    await hear({ ...nameless, reports: nameless.reports.map((report) => ({ ...report, reference: "" })) });
    expect(await rows(sql`select reference from payments.callbacks where provider_id = ${id}`)).toEqual([
      { reference: "PG-10008" },
    ]);
    expect(await rows(sql`select 1 from payments.exceptions where subject = ${id}`)).toEqual([]);
  });

  test("says itself which request it answers; a claim is asked only where the provider does not say", async () => {
    const { agree } = makeEnquiryEnds({ clock, makeId, rails });
    for (const [told, booked] of [
      ["the-provider-says", "the-provider-says"],
      [undefined, "a-stranger-says"],
      // The enquiry's own name, which says nothing of the request.
      ["the-enquiry", "a-stranger-says"],
    ] as const) {
      const providerId = randomUUID().toUpperCase();
      const enquiry = { rail: "toy", providerId, correlation: "the-enquiry", noticeId: 1n, state: "open" } as const;
      const claim = { report: { ...PAID, correlation: "a-stranger-says" } } as Notice;
      await database.current.db.transaction((tx) =>
        agree(
          tx,
          { ...enquiry, attempts: 1, createdAt: clock.now() },
          { answer: { ...PAID, correlation: told }, raw: Buffer.from(providerId), claim },
        ),
      );
      expect(await rows(sql`select correlation from payments.callbacks where provider_id = ${providerId}`)).toEqual([
        { correlation: booked },
      ]);
    }
  });

  test("that tells no amount, of a payment that nobody here asked for, is kept for a person and not asked about again", async () => {
    const id = randomUUID().toUpperCase();
    await hear(answerOf(id, undefined));
    const faults: unknown[] = [];
    const jobs = makeNoticeJobs({
      database: database.current,
      clock,
      makeId,
      makeCorrelation: randomUUID,
      rails,
      payouts: nobody,
      ends: makeEnquiryEnds({ clock, makeId, rails }),
      onFailure: (fault) => faults.push(fault),
    });
    expect(await jobs.once()).toBe(1);
    expect(faults).toEqual([]);
    expect(await rows(sql`select reason from payments.quarantine where provider_id = ${id}`)).toEqual([
      { reason: "intent_unknown" },
    ]);
    expect(await rows(sql`select 1 from payments.enquiries where provider_id = ${id}`)).toEqual([]);
    expect(await rows(sql`select 1 from payments.callbacks where provider_id = ${id}`)).toEqual([]);
  });
});
