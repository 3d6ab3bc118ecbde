import { between, type Chance } from "./chance.ts";
import type { Face, SimulatedTransaction } from "./face.ts";
import type { Sending } from "./news.ts";
import type { Happens } from "./payers.ts";

const FORGED_AFTER_MS = [0, 10 * 60_000] as const;
const INVENTED_WHOLE = [10, 5_000] as const;

/**
 * What somebody who is not the provider sends beside one transaction: that it is paid, sometimes ten times over, or that
 * another one, which does not exist, is.
 */
export function planForgeries({
  face,
  transaction,
  wholeMinor,
  at,
  happens,
  chance,
}: {
  face: Face;
  transaction: SimulatedTransaction;
  wholeMinor: bigint;
  at: Date;
  happens: Happens;
  chance: Chance;
}): readonly Sending[] {
  const sendings: Sending[] = [];
  const isOver = { status: "completed", failure: undefined, endedAt: at } as const;
  const send = (lie: SimulatedTransaction): void => {
    const delivery = { ...face.forge(lie), retriesMax: 0 };
    sendings.push({ kind: "forged", delivery, afterMs: between(chance, FORGED_AFTER_MS) });
  };
  if (happens("forge")) {
    const times = chance() < 0.5 ? 10n : 1n;
    send({ ...transaction, ...isOver, amountMinor: transaction.amountMinor * times });
  }
  if (happens("forge_unknown")) {
    const amountMinor = BigInt(between(chance, INVENTED_WHOLE)) * wholeMinor;
    send({
      ...transaction,
      ...isOver,
      id: face.makeId(),
      correlation: undefined,
      providerCorrelation: undefined,
      amountMinor,
      requestedMinor: amountMinor,
    });
  }
  return sendings;
}
