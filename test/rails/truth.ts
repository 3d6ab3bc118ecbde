import type { SimulatedTransaction } from "../../simulators/rail/face.ts";
import type { RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import { orderIdOf } from "../../src/payments/rails/orange-webpay/order-id.ts";

/** What the providers hold, in the words in which the program must know it. */
export interface Truth {
  readonly payments: readonly TruePayment[];
  readonly reversals: readonly TrueReversal[];
  readonly payouts: readonly TruePayout[];
  /** Prompts by our name of them: how many times the payer's phone rang. */
  readonly prompts: ReadonlyMap<string, number>;
  /** Fees that a provider's statement shows, below zero. */
  readonly feesMinor: ReadonlyMap<string, bigint>;
  /** Payments of which a changed copy was delivered where nothing is signed. */
  readonly tampered: ReadonlySet<string>;
}

export interface TruePayment {
  readonly rail: string;
  readonly id: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  /** As the payer typed it, or as we asked. */
  readonly account: string;
  readonly beganAt: Date;
  readonly at: Date;
  /** Our name of the request that it answers, as the program writes it. */
  readonly correlation: string | undefined;
}

export interface TrueReversal {
  readonly rail: string;
  readonly original: string;
  readonly amountMinor: bigint;
}

export interface TruePayout {
  readonly rail: string;
  readonly correlation: string | undefined;
  readonly amountMinor: bigint;
}

/** Names of requests as each provider was told them, back to ours. */
export function namesOf(correlations: readonly string[]): (given: string | undefined) => string | undefined {
  const ours = new Map(
    correlations.flatMap((correlation): [string, string][] => [
      [correlation, correlation],
      [correlation.replaceAll("-", ""), correlation],
      [orderIdOf(correlation), correlation],
    ]),
  );
  return (given) => (given === undefined ? undefined : ours.get(given.toLowerCase()));
}

export function readTruth(
  simulator: RailSimulator,
  {
    correlations,
    feesMinor,
    cash,
  }: {
    correlations: readonly string[];
    feesMinor: ReadonlyMap<string, bigint>;
    /** What agents hold: the company is its own provider there. */
    cash: readonly TruePayment[];
  },
): Truth {
  const nameOf = namesOf(correlations);
  const rows = simulator.channels.flatMap(({ name }) => simulator.transactions(name));
  const completed = (kind: SimulatedTransaction["kind"]): SimulatedTransaction[] =>
    rows.filter((row) => row.kind === kind && row.status === "completed");
  const prompts = new Map<string, number>();
  for (const { kind, correlation } of rows) {
    if (kind !== "payment" || correlation === undefined) continue;
    const name = nameOf(correlation) ?? correlation;
    prompts.set(name, (prompts.get(name) ?? 0) + 1);
  }
  return {
    payments: [
      ...cash,
      ...completed("payment").map((row) => ({
        rail: row.channel,
        id: row.id.toUpperCase(),
        amountMinor: row.amountMinor,
        currency: row.currency,
        account: row.reference,
        beganAt: row.beganAt,
        at: row.endedAt ?? row.beganAt,
        correlation: nameOf(row.correlation),
      })),
    ],
    reversals: completed("reversal").map((row) => ({
      rail: row.channel,
      original: (row.original ?? "").toUpperCase(),
      amountMinor: row.amountMinor,
    })),
    payouts: completed("disbursement").map((row) => ({
      rail: row.channel,
      correlation: row.correlation,
      amountMinor: row.amountMinor,
    })),
    prompts,
    feesMinor,
    tampered: new Set(
      simulator.deliveries
        .filter(({ kind, transactionId }) => kind === "tampered" && transactionId !== undefined)
        .map(({ channel, transactionId = "" }) => `${channel}/${transactionId.toUpperCase()}`),
    ),
  };
}
