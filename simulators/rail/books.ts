import type { NewTransaction, SimulatedChannel, SimulatedTransaction } from "./face.ts";

/** One provider's books of one channel: the truth. Rows are only ever added and ended. */
export interface Books {
  /** In the order they began. */
  readonly transactions: readonly SimulatedTransaction[];
  find(by: FindBy): SimulatedTransaction | undefined;
  begin(
    kind: SimulatedTransaction["kind"],
    asked: NewTransaction & { payerName: string; at: Date },
  ): SimulatedTransaction;
  complete(transaction: SimulatedTransaction, ended: { amountMinor: bigint; at: Date }): void;
  fail(transaction: SimulatedTransaction, ended: { why: Failure; at: Date }): void;
  /** What of this payment has not gone back. */
  leftMinor(transaction: SimulatedTransaction): bigint;
  /** What the provider holds for us. */
  held(): readonly HeldPayment[];
}

export type Failure = Exclude<SimulatedTransaction["failure"], undefined>;

interface FindBy {
  readonly id?: string | undefined;
  readonly correlation?: string | undefined;
  readonly providerCorrelation?: string | undefined;
}

/** A completed payment as an auditor of the provider would list it. */
export interface HeldPayment {
  readonly channel: string;
  readonly id: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly reference: string;
  readonly phone: string;
  /** The provider's event time. */
  readonly at: Date;
  readonly correlation: string | undefined;
  readonly providerCorrelation: string | undefined;
  /** Went back in whole. */
  readonly isReversed: boolean;
  readonly reversedMinor: bigint;
}

const KEYS = ["id", "correlation", "providerCorrelation"] as const;

export function makeBooks(channel: SimulatedChannel): Books {
  const transactions: SimulatedTransaction[] = [];
  const found = { id: new Map(), correlation: new Map(), providerCorrelation: new Map() } as Record<
    (typeof KEYS)[number],
    Map<string, SimulatedTransaction>
  >;
  const reversed = new Map<string, bigint>();

  function begin(
    kind: SimulatedTransaction["kind"],
    { id, correlation, providerCorrelation, original, ...asked }: NewTransaction & { payerName: string; at: Date },
  ): SimulatedTransaction {
    if (found.id.has(id)) throw new Error(`${channel.name} already has a transaction ${id}.`);
    const row: SimulatedTransaction = {
      id,
      channel: channel.name,
      kind,
      status: "pending",
      correlation,
      providerCorrelation,
      requestedMinor: asked.amountMinor,
      amountMinor: asked.amountMinor,
      currency: channel.currency,
      reference: asked.reference,
      phone: asked.phone,
      payerName: asked.payerName,
      beganAt: asked.at,
      endedAt: undefined,
      original,
      callbackUrl: asked.callbackUrl,
      failure: undefined,
      memory: { ...asked.memory },
    };
    transactions.push(row);
    for (const key of KEYS) {
      const value = row[key];
      // The first keeps its name: a provider that knows a name already finds that one.
      if (value !== undefined && !found[key].has(value)) found[key].set(value, row);
    }
    return row;
  }

  function complete(row: SimulatedTransaction, { amountMinor, at }: { amountMinor: bigint; at: Date }): void {
    row.status = "completed";
    row.amountMinor = amountMinor;
    row.endedAt = at;
    row.failure = undefined;
    if (row.kind === "reversal" && row.original !== undefined) {
      reversed.set(row.original, (reversed.get(row.original) ?? 0n) + amountMinor);
    }
  }

  const reversedMinor = ({ id }: SimulatedTransaction): bigint => reversed.get(id) ?? 0n;

  return {
    transactions,
    find(by) {
      const given = KEYS.filter((key) => by[key] !== undefined);
      const [first] = given;
      if (first === undefined) return undefined;
      const row = found[first].get(by[first] ?? "");
      return row !== undefined && given.every((key) => row[key] === by[key]) ? row : undefined;
    },
    begin,
    complete,
    fail(row, { why, at }) {
      row.status = "failed";
      row.failure = why;
      row.endedAt = at;
    },
    leftMinor: (row) => row.amountMinor - reversedMinor(row),
    held: () =>
      transactions
        .filter(({ kind, status }) => kind === "payment" && status === "completed")
        .map((row) => ({
          channel: row.channel,
          id: row.id,
          amountMinor: row.amountMinor,
          currency: row.currency,
          reference: row.reference,
          phone: row.phone,
          at: row.endedAt ?? row.beganAt,
          correlation: row.correlation,
          providerCorrelation: row.providerCorrelation,
          isReversed: reversedMinor(row) === row.amountMinor,
          reversedMinor: reversedMinor(row),
        })),
  };
}
