import { beforeEach, describe, expect, test } from "vitest";
import { makeManualClock, MINUTE_MS, SECOND_MS } from "../../../../src/kernel/time.ts";
import type { OutboundHttp } from "../../../../src/platform/outbound.ts";
import { readDarajaStatementHeader, readDarajaStatementLine } from "../../../../src/payments/rails/daraja/statement.ts";
import { isAble, type Able, type EnquirySubject, type Report } from "../../../../src/payments/rails/rail.ts";
import { isRefusedLine } from "../../../../src/payments/rails/statement-line.ts";
import { makeDarajaFace } from "../../../../simulators/rail/daraja.ts";
import type {
  Face,
  NewTransaction,
  OutgoingDelivery,
  SimulatedTransaction,
  World,
} from "../../../../simulators/rail/face.ts";
import { answer, CHANNEL, CORRELATION, NOW, openOn, reportOf } from "./open-daraja.ts";

const kes = (minor: bigint) => ({ minor, currency: "KES" as const });
const DOORS = "https://washa.test/rails/kenya/secret";
const PHONE = "254708374149";

/** A provider's books in memory, without faults: what its face says goes straight to the adapter. */
function makeVillageBank() {
  const clock = makeManualClock(NOW);
  const transactions: SimulatedTransaction[] = [];
  const posted: OutgoingDelivery[] = [];
  let state = 7;
  const begin = (kind: SimulatedTransaction["kind"], asked: NewTransaction): SimulatedTransaction => {
    const row: SimulatedTransaction = {
      ...asked,
      kind,
      channel: CHANNEL.name,
      currency: CHANNEL.currency,
      status: "pending",
      requestedMinor: asked.amountMinor,
      payerName: "Wanjiru Kamau",
      beganAt: clock.now(),
      endedAt: undefined,
      original: asked.original,
      failure: undefined,
      memory: { ...asked.memory },
    };
    transactions.push(row);
    return row;
  };
  const end = (row: SimulatedTransaction, failure?: SimulatedTransaction["failure"]): SimulatedTransaction => {
    Object.assign(row, { status: failure === undefined ? "completed" : "failed", failure, endedAt: clock.now() });
    return row;
  };
  const world: World = {
    channel: CHANNEL,
    baseUrl: "https://daraja.test/mpesa-ke",
    now: () => clock.now(),
    chance: () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647,
    transactions,
    find: (by) =>
      transactions.find((row) =>
        (["id", "correlation", "providerCorrelation"] as const).every(
          (key) => by[key] === undefined || row[key] === by[key],
        ),
      ),
    requestPayment: (asked) => begin("payment", asked),
    disburse: (asked) => begin("disbursement", asked),
    reverse: (original, amountMinor = original.amountMinor) => {
      if (transactions.some((row) => row.original === original.id)) return undefined;
      const names = {
        id: face.makeId(),
        correlation: undefined,
        providerCorrelation: undefined,
        callbackUrl: undefined,
      };
      const { reference, phone } = original;
      return end(begin("reversal", { ...names, amountMinor, reference, phone, original: original.id }));
    },
    deliver: (delivery) => void posted.push(delivery),
    doorUrl: (door, parameter) => `${DOORS}/${door}${parameter === undefined ? "" : `/${parameter}`}`,
  };
  const face: Face = makeDarajaFace(world);
  const http: OutboundHttp = {
    send: async ({ url, method, headers = {}, body = "" }) => {
      await Promise.resolve();
      const { pathname, searchParams } = new URL(url);
      const path = pathname.replace("/mpesa-ke", "");
      const reply = face.handle({ method, path, query: searchParams, headers, body: String(body) });
      return answer({ status: reply.status, body: reply.body ?? "" });
    },
  };
  const rail = openOn(http, face.settings(), clock);
  return {
    clock,
    face,
    rail,
    posted,
    transactions,
    end,
    pays: (reference: string, amountMinor: bigint): SimulatedTransaction => {
      const names = {
        id: face.makeId(),
        correlation: undefined,
        providerCorrelation: undefined,
        callbackUrl: undefined,
      };
      return end(begin("payment", { ...names, amountMinor, reference, phone: PHONE }));
    },
    /** What the adapter reads from a delivery of the face. */
    read: ({ method, url, headers, body }: OutgoingDelivery): Report => {
      const [door = "", parameter] = url.slice(DOORS.length + 1).split("/");
      const delivery = { door, parameter, method, url, headers, raw: Buffer.from(body), receivedAt: clock.now() };
      return reportOf(rail.parse(delivery));
    },
  };
}

let bank: ReturnType<typeof makeVillageBank>;
beforeEach(() => {
  bank = makeVillageBank();
});

describe("a payer who pays unasked", () => {
  test("is told of by a confirmation, by the pulled list and by the statement, alike", async () => {
    const payment = bank.pays("PG-10234", 1_234_500n);
    const [confirmation, ...others] = bank.face.deliveries(payment).map(bank.read);
    expect(others).toEqual([]);
    const facts = {
      type: "billpay",
      transactionStatus: "completed",
      transactionReference: payment.id,
      amount: kes(1_234_500n),
      creditParty: "600966",
      reference: "PG-10234",
      at: NOW,
    };
    expect(confirmation).toMatchObject({ ...facts, payer: { phone: undefined, name: "WANJIRU" } });
    const { items } = await able(bank.rail.list).page(around());
    expect(items.map(({ report }) => report)).toMatchObject([{ ...facts, payer: { phone: `+${PHONE}` } }]);
    expect(statementLines()).toContainEqual(
      expect.objectContaining({ lineReference: payment.id, kind: "payment", amountMinor: 1_234_500n, at: NOW }),
    );
  });

  test("a forged confirmation looks the same: nothing is signed", async () => {
    const payment = bank.pays("PG-10234", 5_000n);
    const forged = bank.face.forge({ ...payment, id: bank.face.makeId(), amountMinor: 50_000n });
    expect(bank.read(forged)).toMatchObject({ transactionStatus: "completed", amount: kes(50_000n) });
    // Until the enquiry is asked: it says that there is no such transaction, which never completes anything.
    const { transactionReference } = bank.read(forged);
    expect(await enquire({ kind: "transaction", providerCorrelation: undefined, transactionReference })).toEqual({
      kind: "asked",
    });
    expect(bank.posted.map(bank.read)).toMatchObject([
      { transactionStatus: "failed", transactionReference: undefined },
    ]);
    expect(
      await enquire({ kind: "transaction", providerCorrelation: undefined, transactionReference: payment.id }),
    ).toEqual({ kind: "asked" });
    expect(bank.read(last(bank.posted))).toMatchObject({
      type: "billpay",
      transactionStatus: "completed",
      transactionReference: payment.id,
      amount: kes(5_000n),
      creditParty: "600966",
      payer: { phone: `+${PHONE}` },
    });
  });
});

describe("a prompt", () => {
  test("that is paid comes back twice, as callback and as C2B copy, under one receipt", async () => {
    const prompt = await promptOn();
    expect(await enquire({})).toMatchObject({ report: { transactionStatus: "pending" } });
    bank.clock.advance(20 * SECOND_MS);
    bank.end(prompt);
    const [callback, copy, ...others] = bank.face.deliveries(prompt).map(bank.read);
    expect(others).toEqual([]);
    expect(callback).toMatchObject({ transactionStatus: "completed", correlation: CORRELATION, amount: kes(15_000n) });
    expect(copy).toMatchObject({ transactionStatus: "completed", reference: "PG-10234", amount: kes(15_000n) });
    for (const field of ["transactionReference", "at", "creditParty", "type"] as const)
      expect(copy?.[field]).toEqual(callback?.[field]);
    expect(await enquire({})).toMatchObject({
      report: { transactionStatus: "pending", statusReason: "paid, waiting for the receipt" },
    });
  });

  test("that fails and is paid all the same is told of by C2B alone (case 4)", async () => {
    const prompt = await promptOn();
    bank.end(prompt, "unreachable");
    expect(bank.face.deliveries(prompt).map(bank.read)).toMatchObject([
      { transactionStatus: "failed", correlation: CORRELATION, statusReason: "1037 DS timeout user cannot be reached" },
    ]);
    expect(await enquire({})).toMatchObject({ report: { transactionStatus: "failed" } });
    bank.clock.advance(MINUTE_MS);
    bank.end(prompt);
    expect(bank.face.deliveries(prompt).map(bank.read)).toMatchObject([
      { transactionStatus: "completed", transactionReference: prompt.id, reference: "PG-10234" },
    ]);
  });

  test("on a phone that looks at another one is refused", async () => {
    await promptOn();
    expect(await able(bank.rail.requestPayment)(request())).toMatchObject({ kind: "refused" });
    expect(bank.transactions).toHaveLength(1);
  });

  test("is still asked for when the token has ended meanwhile", async () => {
    await promptOn();
    bank.clock.advance(90 * MINUTE_MS);
    expect(await enquire({})).toMatchObject({ report: { transactionStatus: "pending" } });
  });

  test("that M-Pesa does not know is not found", async () => {
    expect(await enquire({ providerCorrelation: "ws_CO_0" })).toMatchObject({ kind: "not_found" });
  });
});

describe("money that goes back", () => {
  test("to a phone is paid once for one name, and its result and its enquiry agree", async () => {
    const order = {
      correlation: CORRELATION,
      phone: `+${PHONE}`,
      amount: kes(3_000n),
      original: undefined,
      reason: "Too much",
    };
    expect(await able(bank.rail.refund)(order)).toMatchObject({ kind: "accepted" });
    expect(await able(bank.rail.refund)(order)).toMatchObject({ kind: "refused", isDuplicate: true });
    const [payout, ...others] = bank.transactions;
    if (payout === undefined || others.length > 0) throw new Error("Expected one pay-out.");
    const ask = { kind: "disbursement", providerCorrelation: undefined } as const;
    await enquire(ask);
    expect(bank.read(last(bank.posted))).toMatchObject({ type: "disbursement", transactionStatus: "pending" });
    bank.end(payout);
    await enquire(ask);
    for (const delivery of [last(bank.posted), ...bank.face.deliveries(payout)]) {
      expect(bank.read(delivery)).toMatchObject({
        type: "disbursement",
        transactionStatus: "completed",
        transactionReference: payout.id,
        correlation: CORRELATION,
        amount: kes(3_000n),
        creditParty: "600967",
        at: NOW,
      });
    }
    bank.end(payout, "insufficient_funds");
    expect(bank.face.deliveries(payout).map(bank.read)).toMatchObject([
      { type: "disbursement", transactionStatus: "failed", correlation: CORRELATION },
    ]);
  });

  test("without a phone is a reversal that names its payment; a second one is looked at", async () => {
    const payment = bank.pays("PG-10234", 5_000n);
    const original = { transactionReference: payment.id, amount: kes(5_000n) };
    const order = {
      correlation: CORRELATION,
      phone: undefined,
      amount: kes(5_000n),
      original,
      reason: "Not a customer",
    };
    const asked = await able(bank.rail.refund)(order);
    expect(asked).toMatchObject({ kind: "accepted", memory: { by: "reversal" } });
    const reversal = bank.transactions.find(({ kind }) => kind === "reversal");
    const facts = {
      type: "reversal",
      transactionStatus: "completed",
      transactionReference: reversal?.id,
      correlation: CORRELATION,
      amount: kes(5_000n),
      creditParty: "600966",
    };
    expect(bank.posted.map(bank.read)).toMatchObject([{ ...facts, originalTransactionReference: payment.id }]);
    const { providerCorrelation } = asked.kind === "accepted" ? asked : { providerCorrelation: undefined };
    await enquire({ kind: "disbursement", providerCorrelation, memory: { by: "reversal" } });
    expect(bank.read(last(bank.posted))).toMatchObject(facts);
    await able(bank.rail.refund)({ ...order, correlation: "second" });
    expect(bank.read(last(bank.posted))).toMatchObject({ transactionStatus: "pending", correlation: "second" });
    const unknown = { ...original, transactionReference: "AAAAAAAAAA" };
    await able(bank.rail.refund)({ ...order, correlation: "third", original: unknown });
    expect(bank.read(last(bank.posted))).toMatchObject({ transactionStatus: "failed", correlation: "third" });
  });
});

describe("a period", () => {
  test("is pulled page by page, each payment once", async () => {
    const payments = Array.from({ length: 230 }, (_, index) => {
      bank.clock.advance(SECOND_MS);
      return bank.pays(`PG-${index}`, 1_000n + BigInt(index) * 100n);
    });
    const seen: unknown[] = [];
    for (let cursor: string | undefined, pages = 0; pages === 0 || cursor !== undefined; pages += 1) {
      const page = await able(bank.rail.list).page({ ...around(), cursor });
      seen.push(...page.items.map(({ report }) => [report.transactionReference, report.amount?.minor]));
      cursor = page.next;
    }
    expect(seen).toEqual(payments.map(({ id, amountMinor }) => [id, amountMinor]));
  });

  test("has a statement in which every line can be read, names are unique, and the balance is the sum", async () => {
    for (let index = 0; index < 40; index += 1) {
      bank.clock.advance(SECOND_MS);
      const payment = bank.pays(index % 4 === 0 ? "" : `PG-${index}`, 200_000n + BigInt(index));
      if (index % 10 !== 0) continue;
      const original = { transactionReference: payment.id, amount: kes(payment.amountMinor) };
      const amount = original.amount;
      await able(bank.rail.refund)({ correlation: `r${index}`, phone: undefined, amount, original, reason: "Back" });
    }
    await able(bank.rail.refund)({
      correlation: "out",
      phone: `+${PHONE}`,
      amount: kes(3_000n),
      original: undefined,
      reason: "Out",
    });
    bank.end(last(bank.transactions));
    const lines = statementLines();
    const count = (kind: string) => lines.filter((line) => line.kind === kind).length;
    expect([count("payment"), count("reversal"), count("disbursement"), count("other")]).toEqual([40, 4, 1, 0]);
    expect(count("fee")).toBeGreaterThan(0);
    expect(lines).toHaveLength(45 + count("fee"));
    expect(new Set(lines.map(({ lineReference }) => lineReference)).size).toBe(lines.length);
    expect(lines.filter(({ kind }) => kind === "payment").map(({ type }) => type)).toContain("merchantpay");
    const paid = new Set(lines.filter(({ kind }) => kind === "payment").map(({ lineReference }) => lineReference));
    for (const { linked } of lines.filter(({ kind }) => kind === "reversal" || kind === "fee"))
      expect(paid).toContain(linked);
    expect(last(lines).balanceMinor).toBe(lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n));
  });
});

async function promptOn(): Promise<SimulatedTransaction> {
  expect(await able(bank.rail.requestPayment)(request())).toMatchObject({ kind: "accepted" });
  return last(bank.transactions);
}

const request = () => ({ correlation: CORRELATION, phone: `+${PHONE}`, amount: kes(15_000n), reference: "PG-10234" });

async function enquire(changes: Partial<EnquirySubject>) {
  return able(bank.rail.enquire)({
    kind: "payment",
    correlation: CORRELATION,
    providerCorrelation: bank.transactions[0]?.providerCorrelation,
    transactionReference: undefined,
    amount: undefined,
    reference: "",
    memory: {},
    requestedAt: NOW,
    ...changes,
  });
}

const around = () => ({
  from: new Date(NOW.getTime() - MINUTE_MS),
  to: new Date(bank.clock.now().getTime()),
  cursor: undefined as string | undefined,
});

function statementLines() {
  const to = new Date(bank.clock.now().getTime() + SECOND_MS);
  const { bytes } = bank.face.statement?.({ from: NOW, to }) ?? { bytes: new Uint8Array() };
  const rows = Buffer.from(bytes).toString().trimEnd().split("\r\n").map(cellsOf);
  const header = rows.findIndex((row) => readDarajaStatementHeader(row) !== undefined);
  const columns = readDarajaStatementHeader(rows[header] ?? []);
  if (columns === undefined) throw new Error("No header.");
  return rows.slice(header + 1).map((row) => {
    const line = readDarajaStatementLine(row, columns, { currency: "KES", zone: CHANNEL.zone });
    if (isRefusedLine(line)) throw new Error(line.refused);
    return line;
  });
}

const cellsOf = (row: string): string[] =>
  [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

function able<Act extends object>(ability: Able<Act>): Exclude<Act, { cannot: string }> {
  if (!isAble(ability)) throw new Error("The rail cannot do this.");
  return ability as Exclude<Act, { cannot: string }>;
}

function last<Item>(items: readonly Item[]): Item {
  const item = items.at(-1);
  if (item === undefined) throw new Error("Nothing is there.");
  return item;
}
