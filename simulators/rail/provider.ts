import { makeBooks, type Books, type Failure } from "./books.ts";
import { between, makeStream, type Chance } from "./chance.ts";
import { wholeMinorOf } from "./currency.ts";
import type { Face, MakeFace, SimulatedChannel, SimulatedTransaction, World } from "./face.ts";
import { makeFaultBox, type FaultBox, type FaultKind, type Faults } from "./faults.ts";
import { planForgeries } from "./forgers.ts";
import { planNews } from "./news.ts";
import { decidePayer, decidePayout, decideReversal, PROMPT_MS, type Happens } from "./payers.ts";
import type { Postman } from "./postman.ts";
import type { Timetable } from "./timetable.ts";

/** One of our accounts at a provider: its books, its payers, its face. */
export interface Provider {
  readonly channel: SimulatedChannel;
  readonly face: Face;
  readonly books: Books;
  readonly faults: FaultBox;
  /** A payer pays unasked, now. */
  pay(payment: PayerPayment): SimulatedTransaction;
  /** Decides a waiting prompt by hand. False when it is over. */
  decide(id: string, decision: { failure: Failure | undefined; amountMinor?: bigint | undefined }): boolean;
  reverse(id: string, amountMinor?: bigint): SimulatedTransaction | undefined;
}

export interface PayerPayment {
  /** The account as the payer types it; "" at a till. */
  readonly account: string;
  readonly amountMinor: bigint;
  /** Digits, with or without plus. */
  readonly phone: string;
  readonly payerName: string;
}

export interface ProviderDeps {
  readonly channel: SimulatedChannel;
  readonly makeFace: MakeFace;
  readonly shares: Faults;
  readonly baseUrl: string;
  readonly doorUrl: World["doorUrl"];
  readonly seed: number;
  /** `decide`: payers decide by the seed. `wait`: prompts wait for a person, until they are over. */
  readonly payers: "decide" | "wait";
  readonly timetable: Timetable;
  readonly postman: Postman;
  /** Hears of each transaction when it begins and whenever it has ended. */
  readonly onChange?: ((transaction: SimulatedTransaction) => void) | undefined;
}

const ID_TRIES_MAX = 100;
const NAMES = ["Achieng Odhiambo", "Baraka Mwangi", "Chipo Phiri", "Fatou Ndiaye", "Kwame Mensah", "Nakato Sarah"];

export function makeProvider(deps: ProviderDeps): Provider {
  const { channel, timetable, postman, seed, onChange = () => undefined } = deps;
  const books = makeBooks(channel);
  const faults = makeFaultBox(deps.shares);
  const wholeMinor = wholeMinorOf(channel.currency);
  const seen = new Map<string, number>();
  const lotOf = new Map<SimulatedTransaction, string>();
  let extras = 0;
  /** What the face draws from: forgers have one of their own, so that real ids do not depend on them. */
  let faceChance = makeStream(seed, channel.name, "face");

  /**
   * Every transaction has its own luck, by who pays what for the how-manieth time: neither the order in which requests
   * arrive nor our program's random names of requests change it.
   */
  function drawLot(
    kind: string,
    { phone, reference, amountMinor }: { phone: string; reference: string; amountMinor: bigint },
  ) {
    const who = [kind, phone, reference, amountMinor].join(" ");
    const times = (seen.get(who) ?? 0) + 1;
    seen.set(who, times);
    return `${who} ${String(times)}`;
  }

  function luckOf(transaction: SimulatedTransaction, purpose: string): { chance: Chance; happens: Happens } {
    const chance = makeStream(seed, channel.name, lotOf.get(transaction) ?? transaction.id, purpose);
    return { chance, happens: (kind: FaultKind) => faults.happens(kind, chance) };
  }

  function newId(): string {
    for (let tries = 0; tries < ID_TRIES_MAX; tries++) {
      const id = face.makeId();
      if (books.find({ id }) === undefined) return id;
    }
    throw new Error(`The face of ${channel.name} makes the same transaction reference again and again.`);
  }

  /** Sends what the face has to say of a transaction that has just changed. */
  function tell(
    transaction: SimulatedTransaction,
    { news, heldBackMs = 0 }: { news: string; heldBackMs?: number },
  ): void {
    const about = { channel: channel.name, transactionId: transaction.id };
    const planned = planNews({ deliveries: face.deliveries(transaction), ...luckOf(transaction, news), heldBackMs });
    for (const sending of planned.sendings) postman.send(sending, about);
    for (const delivery of planned.dropped) postman.drop(delivery, about);
  }

  function complete(transaction: SimulatedTransaction, amountMinor: bigint): void {
    books.complete(transaction, { amountMinor, at: timetable.now() });
    onChange(transaction);
    const { reverseAfterMs, newsHeldBackMs } = decideReversal(luckOf(transaction, "reversal"));
    tell(transaction, { news: "completed", heldBackMs: newsHeldBackMs });
    if (reverseAfterMs !== undefined) timetable.after(reverseAfterMs, () => void reverse(transaction));
  }

  function fail(transaction: SimulatedTransaction, why: Failure): void {
    books.fail(transaction, { why, at: timetable.now() });
    onChange(transaction);
    tell(transaction, { news: "failed" });
  }

  function reverse(original: SimulatedTransaction, amountMinor = books.leftMinor(original)) {
    const isPossible = original.kind !== "reversal" && original.status === "completed";
    if (!isPossible || amountMinor <= 0n || amountMinor > books.leftMinor(original)) return undefined;
    const { reference, phone, payerName, callbackUrl } = original;
    const at = timetable.now();
    const names = { id: newId(), correlation: undefined, providerCorrelation: undefined, original: original.id };
    const reversal = books.begin("reversal", { ...names, amountMinor, reference, phone, payerName, callbackUrl, at });
    lotOf.set(reversal, drawLot("reversal", { phone, reference, amountMinor }));
    books.complete(reversal, { amountMinor, at });
    onChange(reversal);
    tell(reversal, { news: "completed" });
    return reversal;
  }

  /** Forgers strike when a transaction begins: before the provider itself has anything to tell. */
  function forge(transaction: SimulatedTransaction): void {
    const honest = faceChance;
    const luck = luckOf(transaction, "forgery");
    faceChance = luck.chance;
    try {
      const at = timetable.now();
      for (const sending of planForgeries({ face, transaction, wholeMinor, at, ...luck })) {
        postman.send(sending, { channel: channel.name, transactionId: undefined });
      }
    } finally {
      faceChance = honest;
    }
  }

  const world: World = {
    channel,
    baseUrl: deps.baseUrl,
    now: () => timetable.now(),
    chance: () => faceChance(),
    transactions: books.transactions,
    find: books.find,
    requestPayment(asked) {
      const lot = drawLot("payment", asked);
      const payerName = NAMES[between(makeStream(seed, asked.phone), [0, NAMES.length - 1])] ?? "";
      const prompt = books.begin("payment", { ...asked, payerName, at: timetable.now() });
      lotOf.set(prompt, lot);
      const { requestedMinor } = prompt;
      const { tellsAmounts } = face;
      const luck = luckOf(prompt, "decision");
      if (deps.payers === "wait") timetable.after(PROMPT_MS[1], () => void decide(prompt, { failure: "timed_out" }));
      else {
        const decision = decidePayer({ ...luck, requestedMinor, wholeMinor, tellsAmounts });
        const { failure, amountMinor, moneyAfterMs } = decision;
        timetable.after(decision.afterMs, () => {
          decide(prompt, { failure, amountMinor });
          if (moneyAfterMs !== undefined) timetable.after(moneyAfterMs, () => complete(prompt, amountMinor));
        });
      }
      onChange(prompt);
      forge(prompt);
      return prompt;
    },
    disburse(asked) {
      const payout = books.begin("disbursement", { ...asked, payerName: "", at: timetable.now() });
      lotOf.set(payout, drawLot("disbursement", asked));
      const { afterMs, failure } = decidePayout(luckOf(payout, "decision"));
      timetable.after(afterMs, () => {
        if (failure !== undefined) return fail(payout, failure);
        books.complete(payout, { amountMinor: payout.requestedMinor, at: timetable.now() });
        onChange(payout);
        tell(payout, { news: "completed" });
      });
      return payout;
    },
    reverse,
    deliver(delivery, afterMs) {
      const chance = makeStream(seed, channel.name, "extra", extras++);
      const happens = (kind: FaultKind) => faults.happens(kind, chance);
      const about = { channel: channel.name, transactionId: undefined };
      const planned = planNews({
        deliveries: [{ ...delivery, isPrivate: true }],
        happens,
        chance,
        heldBackMs: afterMs,
      });
      for (const sending of planned.sendings) postman.send(sending, about);
      for (const lost of planned.dropped) postman.drop(lost, about);
    },
    doorUrl: deps.doorUrl,
  };
  const face = deps.makeFace(world);

  function decide(
    prompt: SimulatedTransaction,
    { failure, amountMinor }: { failure: Failure | undefined; amountMinor?: bigint | undefined },
  ): boolean {
    if (prompt.status !== "pending") return false;
    if (failure === undefined) complete(prompt, amountMinor ?? prompt.requestedMinor);
    else fail(prompt, failure);
    return true;
  }

  return {
    channel,
    face,
    books,
    faults,
    pay({ account, amountMinor, phone, payerName }) {
      if (!face.payersMayBegin) throw new Error(`Nobody can pay ${channel.name} without being asked.`);
      const digits = phone.replace(/^\+/, "");
      const asked = { reference: account, phone: digits, amountMinor };
      const names = { id: newId(), correlation: undefined, providerCorrelation: undefined, callbackUrl: undefined };
      const payment = books.begin("payment", { ...names, ...asked, payerName, at: timetable.now() });
      lotOf.set(payment, drawLot("payment", asked));
      forge(payment);
      complete(payment, amountMinor);
      return payment;
    },
    decide(id, decision) {
      const prompt = books.find({ id });
      return prompt !== undefined && prompt.kind === "payment" && decide(prompt, decision);
    },
    reverse(id, amountMinor) {
      const original = books.find({ id });
      return original === undefined ? undefined : reverse(original, amountMinor);
    },
  };
}
