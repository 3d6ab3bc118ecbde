import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeIds } from "../../../src/kernel/ids.ts";
import { DAY_MS, HOUR_MS, makeManualClock, MINUTE_MS } from "../../../src/kernel/time.ts";
import { storeArrivals } from "../../../src/payments/inbox/arrivals.store.ts";
import { claimIntents } from "../../../src/payments/requests/intents.store.ts";
import { makeIntents, makeIntentSteps, type Intent, type OpenRails } from "../../../src/payments/payments.ts";
import type { EnquiryOutcome, PaymentRequest, Rail, Report, RequestOutcome } from "../../../src/payments/rails/rail.ts";
import { LEASE_MS } from "../../../src/payments/requests/requests.ts";
import { useDatabase } from "../../support/database.ts";

const database = useDatabase();
const KENYA = { country: "KE", currency: "KES", zone: "Africa/Nairobi" } as const;
let channels = 0;
const START = new Date("2026-11-20T06:00:00Z");
const FIRST_LOOK_MS = 30_000;
const EXPIRES_MS = 10 * MINUTE_MS;

const ACCEPTED: RequestOutcome = {
  kind: "accepted",
  providerCorrelation: "theirs",
  payAt: undefined,
  memory: undefined,
};
const LOST: RequestOutcome = { kind: "unknown", reason: "no answer came" };
const SILENT: EnquiryOutcome = { kind: "unreachable", reason: "no answer" };
const UNHEARD_OF: EnquiryOutcome = { kind: "not_found", reason: "never heard of it" };

const reportOf = ({ correlation, reference }: PaymentRequest, change: Partial<Report> = {}): Report => ({
  type: "billpay",
  transactionStatus: "completed",
  transactionReference: `T${correlation.slice(0, 8)}`.toUpperCase(),
  correlation,
  originalTransactionReference: undefined,
  amount: { minor: 5_000n, currency: "KES" },
  creditParty: "600966",
  reference,
  payer: { phone: undefined, hash: undefined, name: undefined },
  at: START,
  statusReason: undefined,
  ...change,
});

/** A program with one rail that answers as it is told; what it was asked is remembered. */
function makeCounter({ isRepeatable = true }: { isRepeatable?: boolean } = {}) {
  const clock = makeManualClock(START);
  const makeId = makeIds(clock);
  // A channel of its own: what other tests left open is none of its business.
  const channel = { ...KENYA, name: `toy-${++channels}` };
  const sent: PaymentRequest[] = [];
  const asked: string[] = [];
  const script = {
    answer: (): RequestOutcome | Promise<RequestOutcome> => ACCEPTED,
    enquiry: (_request: PaymentRequest): EnquiryOutcome => SILENT,
  };
  const rail: Rail = {
    channel,
    doors: [],
    callbackIs: "evidence",
    isRequestRepeatable: isRepeatable,
    isRefundRepeatable: isRepeatable,
    enquiryNamesPayment: true,
    enquirySchedule: { firstAfterMs: FIRST_LOOK_MS, expiresAfterMs: EXPIRES_MS },
    verify: () => Promise.resolve({ trust: "signed" }),
    parse: () => ({ ok: true, reports: [] }),
    answer: () => ({ status: 200 }),
    requestPayment: async (request) => {
      sent.push(request);
      return script.answer();
    },
    enquire: async ({ correlation, reference, amount }) => {
      asked.push(correlation);
      const request = { correlation, reference, phone: "", amount: amount ?? { minor: 0n, currency: "KES" } } as const;
      return Promise.resolve(script.enquiry(request));
    },
    refund: { cannot: "It gives nothing back." },
    list: { cannot: "It lists nothing." },
  };
  const config = {
    ...channel,
    adapter: "toy",
    path: channel.name,
    secret: "x",
    sources: [],
    confirmByEnquiry: false,
    settings: {},
  };
  const rails: OpenRails = new Map([[channel.name, { rail, config }]]);
  const intents = makeIntents({ clock, makeId, makeCorrelation: randomUUID, rails });
  const step = () => makeIntentSteps({ database: database.current, clock, makeId, rails })(20);
  // Every test has an account of its own; the database is the file's.
  const reference = `PG-${randomUUID().slice(0, 8)}`;

  async function ask(change: { phone?: string; amountMinor?: bigint } = {}) {
    const { phone = "+254711000001", amountMinor = 5_000n } = change;
    const amount = { minor: amountMinor, currency: "KES" } as const;
    const order = { reference, phone, country: "KE", amount, actor: "test", through: "api" } as const;
    return await database.current.db.transaction((tx) => intents.request(tx, order));
  }
  async function read({ id }: Pick<Intent, "id">): Promise<Intent> {
    const found = (await intents.find(database.current.db, [id])).get(id);
    if (found === undefined) throw new Error("The request is gone.");
    return found;
  }
  /** Lets time pass and takes every step that becomes due. */
  async function pass(millis: number, stepMs = 10_000): Promise<void> {
    const end = clock.now().getTime() + millis;
    while (clock.now().getTime() < end) {
      clock.moveTo(new Date(Math.min(end, clock.now().getTime() + stepMs)));
      while ((await step()) > 0);
    }
  }
  const pay = (request: PaymentRequest) =>
    database.current.db.transaction((tx) =>
      storeArrivals(tx, [
        {
          rail: channel.name,
          form: "callback",
          source: "callback",
          isEvidence: true,
          report: reportOf(request),
          raw: Buffer.from(request.correlation),
          sourceAddress: "-",
          receivedAt: clock.now(),
        },
      ]),
    );
  return { clock, sent, asked, script, ask, read, step, pass, pay };
}

describe("a request to pay", () => {
  test("is made once for one wish, also when it is made twice at the same moment", async () => {
    const { ask, step, sent } = makeCounter();
    const [one, other] = await Promise.all([ask(), ask()]);
    expect(one?.intent.id).toBe(other?.intent.id);
    expect([one?.isNew, other?.isNew].filter(Boolean)).toHaveLength(1);
    const another = await ask({ amountMinor: 6_000n });
    expect(another.isNew).toBe(true);
    await step();
    expect(sent.map(({ correlation }) => correlation).sort()).toEqual(
      [one.intent.correlation, another.intent.correlation].sort(),
    );
  });

  test("may be made again when the first is over", async () => {
    const { ask, step, pay, sent } = makeCounter();
    const first = await ask();
    await step();
    for (const request of sent) await pay(request);
    const second = await ask();
    expect(second).toMatchObject({ isNew: true });
    expect(second.intent.correlation).not.toBe(first.intent.correlation);
  });

  test("is refused for an amount that no rail carries, and for a phone or a currency that none can ask", async () => {
    const { ask } = makeCounter();
    await expect(ask({ amountMinor: 0n })).rejects.toMatchObject({ code: "INVALID_INPUT" });
    const rails: OpenRails = new Map();
    const clock = makeManualClock(START);
    const nobody = makeIntents({ clock, makeId: makeIds(clock), makeCorrelation: randomUUID, rails });
    const order = { reference: "PG-1", phone: "+254711000001", country: "KE", actor: "test", through: "api" } as const;
    const amount = { minor: 5_000n, currency: "KES" } as const;
    const asking = database.current.db.transaction((tx) => nobody.request(tx, { ...order, amount }));
    await expect(asking).rejects.toMatchObject({ code: "NOT_ALLOWED_NOW" });
  });

  test.each([
    ["lost on the way", () => LOST],
    ["an adapter's own mistake", () => Promise.reject(new Error("boom"))],
  ])("whose answer is %s is never sent under another name, and its money counts once", async (_name, answer) => {
    const { ask, step, pass, read, sent, script } = makeCounter({ isRepeatable: false });
    script.answer = answer;
    const { intent } = await ask();
    await step();
    expect(await read(intent)).toMatchObject({ state: "pending", wasAccepted: false });
    await pass(2 * MINUTE_MS);
    expect((await ask()).intent.id).toBe(intent.id);
    script.enquiry = (request) => ({ kind: "report", report: reportOf(request), raw: Buffer.from("paid") });
    await pass(5 * MINUTE_MS);
    expect(await read(intent)).toMatchObject({ state: "completed", providerId: expect.any(String) as string });
    expect(sent).toHaveLength(1);
  });

  test("whose answer was lost is sent again under its own name, once the provider says that it never heard of it", async () => {
    const { ask, step, pass, read, sent, script } = makeCounter();
    script.answer = () => LOST;
    const { intent } = await ask();
    await step();
    script.answer = () => ACCEPTED;
    script.enquiry = () => UNHEARD_OF;
    await pass(2 * MINUTE_MS);
    expect(sent.map(({ correlation }) => correlation)).toEqual([intent.correlation, intent.correlation]);
    expect(await read(intent)).toMatchObject({ state: "pending", wasAccepted: true });
  });

  test("that could not be sent waits and is sent later, and fails without harm when its time is over", async () => {
    const { ask, step, pass, read, sent, script } = makeCounter({ isRepeatable: false });
    script.answer = () => ({ kind: "not_sent", reason: "the circuit is open" });
    const { intent } = await ask();
    await step();
    expect(await read(intent)).toMatchObject({ state: "created", reason: "the circuit is open" });
    await pass(EXPIRES_MS + MINUTE_MS);
    expect(await read(intent)).toMatchObject({ state: "failed" });
    expect(new Set(sent.map(({ correlation }) => correlation))).toEqual(new Set([intent.correlation]));
  });

  test("that the provider refuses is over, unless it refuses it as one that it knows", async () => {
    for (const [isDuplicate, state] of [
      [false, "failed"],
      [true, "pending"],
    ] as const) {
      const { ask, step, read, script } = makeCounter();
      script.answer = () => ({ kind: "refused", reason: "no", isDuplicate });
      const { intent } = await ask();
      await step();
      expect(await read(intent)).toMatchObject({ state });
    }
  });
});

describe("a process that dies while it sends", () => {
  async function dieSending(counter: ReturnType<typeof makeCounter>): Promise<Intent> {
    const { intent } = await counter.ask();
    const { clock } = counter;
    const claim = { now: clock.now(), leaseMs: LEASE_MS, limit: 20 };
    const claimed = await database.current.db.transaction((tx) => claimIntents(tx, claim));
    expect(claimed.map(({ id }) => id)).toEqual([intent.id]);
    return intent;
  }

  test("leaves its work to the next one after the lease, who sends the same name again where the rail acts once for it", async () => {
    const counter = makeCounter();
    const intent = await dieSending(counter);
    await counter.step();
    expect(counter.sent).toEqual([]);
    await counter.pass(LEASE_MS);
    expect(counter.sent.map(({ correlation }) => correlation)).toEqual([intent.correlation]);
    expect(await counter.read(intent)).toMatchObject({ state: "pending", attempts: 1 });
  });

  test("is asked after when it can be sent no more: the money may have moved before the process died", async () => {
    const counter = makeCounter();
    const intent = await dieSending(counter);
    counter.script.answer = () => ({ kind: "not_sent", reason: "the provider takes nothing now" });
    counter.script.enquiry = (request) => ({ kind: "report", report: reportOf(request), raw: new Uint8Array() });
    counter.clock.advance(2 * EXPIRES_MS);
    await counter.pass(LEASE_MS);
    expect(await counter.read(intent)).toMatchObject({ state: "completed" });
  });

  test("never makes a phone ring twice on a rail that prompts for every request, as M-Pesa does", async () => {
    const counter = makeCounter({ isRepeatable: false });
    const intent = await dieSending(counter);
    counter.script.enquiry = () => UNHEARD_OF;
    await counter.pass(2 * EXPIRES_MS);
    expect(counter.sent).toEqual([]);
    expect(counter.asked.length).toBeGreaterThan(0);
    expect(await counter.read(intent)).toMatchObject({ state: "failed" });
  });
});

describe("a request that nobody answers", () => {
  test("is asked about with growing pauses until its time is over, then every hour for three days, then never", async () => {
    const { ask, pass, read, asked, script, clock } = makeCounter();
    const times: number[] = [];
    script.enquiry = () => {
      times.push(clock.now().getTime() - START.getTime());
      return SILENT;
    };
    const { intent } = await ask();
    await pass(EXPIRES_MS, 1_000);
    const pauses = times.map((at, index) => at - (times[index - 1] ?? 0)).slice(1, -1);
    expect(pauses).toEqual(pauses.toSorted((one, other) => one - other));
    expect(await read(intent)).toMatchObject({ state: "expired" });
    const soFar = asked.length;
    expect(soFar).toBeLessThan(10);
    await pass(5 * DAY_MS, HOUR_MS);
    expect(asked.length - soFar).toBe(3 * 24);
    await pass(5 * DAY_MS, HOUR_MS);
    expect(asked.length - soFar).toBe(3 * 24);
  });

  test("is expired, and its money is honoured all the same when it comes days later", async () => {
    const { ask, pass, pay, read, sent } = makeCounter();
    const { intent } = await ask();
    await pass(EXPIRES_MS + MINUTE_MS);
    expect(await read(intent)).toMatchObject({ state: "expired" });
    await pass(2 * DAY_MS, HOUR_MS);
    const [request] = sent;
    if (request === undefined) throw new Error("It was sent.");
    expect(await pay(request)).toEqual(["stored"]);
    expect(await read(intent)).toMatchObject({ state: "completed" });
    expect(await pay(request)).toEqual(["repeated"]);
  });
});

test("whatever a provider answers, a request has one name, rings once where it must, and once paid stays paid", async () => {
  const answers: readonly RequestOutcome[] = [
    ACCEPTED,
    LOST,
    { kind: "not_sent", reason: "closed" },
    { kind: "refused", reason: "known", isDuplicate: true },
    { kind: "refused", reason: "no", isDuplicate: false },
  ];
  const status = fc.constantFrom("pending", "failed", "completed", "silent", "unheard", "asked");
  const life = fc.record({
    isRepeatable: fc.boolean(),
    answers: fc.array(fc.constantFrom(...answers), { minLength: 1, maxLength: 6 }),
    enquiries: fc.array(status, { minLength: 1, maxLength: 8 }),
    isPaidAfterStep: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(life, async (given) => {
      const { ask, pass, pay, read, sent, script } = makeCounter(given);
      const given_ = { answers: [...given.answers], enquiries: [...given.enquiries] };
      const told: RequestOutcome[] = [];
      script.answer = () => {
        const answer = given_.answers.shift() ?? LOST;
        told.push(answer);
        return answer;
      };
      script.enquiry = (request) => {
        const said = given_.enquiries.shift() ?? "silent";
        if (said === "silent") return SILENT;
        if (said === "unheard") return UNHEARD_OF;
        if (said === "asked") return { kind: "asked" };
        const report = reportOf(request, { transactionStatus: said });
        return { kind: "report", report, raw: Buffer.from(said) };
      };
      const { intent } = await ask();
      const states: string[] = [];
      for (let at = 0; at < 8; at++) {
        if (at === given.isPaidAfterStep) await pay({ ...intent });
        await pass(2 * MINUTE_MS, 20_000);
        states.push((await read(intent)).state);
      }
      const paidFrom = states.indexOf("completed");
      expect(states.filter((state, at) => paidFrom >= 0 && at > paidFrom && state !== "completed")).toEqual([]);
      expect(new Set(sent.map(({ correlation }) => correlation)).size).toBeLessThanOrEqual(1);
      // What may have reached the payer is not sent a second time where every request rings.
      const mayHaveRung = told.findIndex(({ kind }) => kind === "accepted" || kind === "unknown");
      const sentOn = given.isRepeatable || mayHaveRung < 0 ? [] : told.slice(mayHaveRung + 1);
      expect(sentOn).toEqual([]);
    }),
    { numRuns: 25 },
  );
});
