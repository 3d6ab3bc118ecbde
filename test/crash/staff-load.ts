import type { RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import { makeChance, type Chance } from "./chance.ts";
import type { Household } from "./village.ts";

/** An order of the office or of an agent, sent with one key until it is answered. */
export interface Ordered {
  readonly kind: "request" | "cash";
  readonly key: string;
  readonly household: Household;
  readonly amountMinor: bigint;
  attempts: number;
  /** The intent's id, or the number of the cash receipt, as every answer must say it again. */
  answers: string[];
  refusal: string | undefined;
}

export interface StaffLoad {
  readonly ordered: readonly Ordered[];
  readonly wrongAnswers: readonly string[];
  stop(): Promise<void>;
}

const ANSWER_TIMEOUT_MS = 4_000;
const REQUEST = `mutation ($contractId: ID!, $amountMinor: String!, $key: String!) {
  answer: requestPayment(contractId: $contractId, amountMinor: $amountMinor, idempotencyKey: $key) {
    __typename ... on RequestedPayment { intent { id } } ... on Refusal { code message } } }`;
const CASH = `mutation ($contractId: ID!, $amountMinor: String!, $currency: Currency!, $takenAt: DateTime!, $key: String!) {
  answer: collectCash(contractId: $contractId, amountMinor: $amountMinor, currency: $currency, takenAt: $takenAt, idempotencyKey: $key) {
    __typename ... on CashReceipt { number } ... on Refusal { code message } } }`;

interface Answer {
  readonly data?: {
    readonly answer?: {
      readonly __typename: string;
      readonly intent?: { readonly id: string };
      readonly number?: string;
      readonly code?: string;
    };
  };
}

/**
 * Staff at work: they ask phones to pay on every rail and take cash, each order with one key and often sent again, also after
 * it was answered. Payers of M-Pesa pay unasked besides.
 */
export function startStaff({
  seed,
  people,
  households,
  doors,
  simulator,
  clock,
  tokens,
}: {
  seed: number;
  people: number;
  /** With the channel that asks for their money. */
  households: readonly (Household & { channel: string; currency: string })[];
  doors: () => readonly string[];
  simulator: RailSimulator;
  clock: { now(): Date };
  /** Sessions: of the office, and of an agent. */
  tokens: { readonly office: string; readonly agent: string };
}): StaffLoad {
  const ordered: Ordered[] = [];
  const wrongAnswers: string[] = [];
  let next = 0;
  let stopping = false;

  async function send(order: Ordered, chance: Chance, about: Record<string, unknown>): Promise<boolean> {
    const open = doors();
    const door = open[chance.below(open.length)];
    order.attempts += 1;
    if (door === undefined) return false;
    try {
      const response = await fetch(`${door}/graphql`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${order.kind === "cash" ? tokens.agent : tokens.office}`,
        },
        body: JSON.stringify({ query: order.kind === "cash" ? CASH : REQUEST, variables: about }),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      const { answer } = ((await response.json()) as Answer).data ?? {};
      if (answer === undefined) return false; // a fault on our side: nothing is known
      if (answer.code !== undefined) {
        order.refusal = answer.code;
        return true;
      }
      order.answers.push(answer.intent?.id ?? answer.number ?? "");
      return true;
    } catch {
      return false; // killed meanwhile: whether it was done, the caller cannot know
    }
  }

  async function orderOnce(at: number): Promise<void> {
    const chance = makeChance(seed * 31 + at * 65_537);
    const household = households[chance.below(households.length)];
    if (household === undefined) return;
    const kind = chance.happens(0.35) ? "cash" : "request";
    // A whole number of the currency's units: phones are asked for nothing else.
    const amountMinor = BigInt(5 + chance.below(400)) * 100n;
    const order: Ordered = {
      kind,
      key: `crash-${seed}-${at}-${kind}`,
      household,
      amountMinor,
      attempts: 0,
      answers: [],
      refusal: undefined,
    };
    ordered.push(order);
    const about = {
      contractId: household.contractId,
      amountMinor: amountMinor.toString(),
      key: order.key,
      ...(kind === "cash" ? { currency: household.currency, takenAt: clock.now().toISOString() } : {}),
    };
    const stubborn = chance.happens(0.9);
    for (let attempt = 1; stubborn || attempt <= 2; attempt++) {
      if (await send(order, chance, about)) break;
      await pause(20 + chance.below(150));
    }
    if (chance.happens(0.3)) await Promise.all([send(order, chance, about), send(order, chance, about)]);
    if (new Set(order.answers).size > 1)
      wrongAnswers.push(`${order.key} was answered as ${order.answers.join(" and ")}`);
    if (household.channel === "mpesa-ke" && chance.happens(0.5))
      simulator.pay({
        channel: "mpesa-ke",
        account: household.accountNumber,
        amountMinor: BigInt(5 + chance.below(300)) * 100n,
        phone: (household.phone ?? "+254700000000").slice(1),
        payerName: "WANJIRU",
      });
    await pause(chance.below(400));
  }

  async function work(): Promise<void> {
    while (!stopping) await orderOnce(next++);
  }

  const working = Promise.all(Array.from({ length: people }, () => work()));
  return {
    ordered,
    wrongAnswers,
    async stop() {
      stopping = true;
      await working;
    },
  };
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
