import type { ContractId, ReceiptId } from "../../kernel/ids.ts";
import { NotFound } from "../../kernel/refusal.ts";
import type { Db, Tx } from "../../platform/database.ts";
import { rankSuggestions, type Clues } from "./desk-suggestions.ts";
import {
  findEarlierPayments,
  findPayer,
  findUnansweredRequests,
  type EarlierPayment,
} from "./desk-suggestions.store.ts";
import type { Desk, DeskDeps } from "./desk.ts";
import { listMovements } from "./movements.store.ts";

/** Looks up what speaks for which contract, and ranks it. */
export function makeSuggestions({ contracts }: Pick<DeskDeps, "contracts">): Desk["suggestions"] {
  return async (db, receiptId) => {
    const payer = await findPayer(db, receiptId);
    if (payer === undefined) throw new NotFound("receipt", "receiptId");
    // An organisation's money is never a customer's, and what is explained needs no guess.
    if (payer.type === "transfer" || payer.openMinor === 0n) return [];
    const requests = await findUnansweredRequests(db, payer);
    const accounts = await contracts.byReferences(
      db,
      requests.map(({ reference }) => reference),
    );
    const clues: Clues = {
      near: await contracts.near(db, payer.reference),
      ofPayer: payer.hash === undefined ? [] : (await contracts.ofPhone(db, payer.hash)).contractIds,
      paid: await paidFor(db, {
        payments: await findEarlierPayments(db, { receiptId, payer }),
        minor: payer.amount.minor,
      }),
      isPayerSure: payer.hash !== undefined,
      requested: firstOfEach(
        requests.flatMap(({ reference, isSamePayer }) => {
          const contractId = accounts.get(reference);
          return contractId === undefined ? [] : [{ contractId, isSamePayer }];
        }),
      ),
    };
    const ids = [...clues.near, ...clues.paid, ...clues.requested].map(({ contractId }) => contractId);
    return rankSuggestions(clues, {
      contracts: await contracts.find(db, [...new Set([...ids, ...clues.ofPayer])]),
      currency: payer.amount.currency,
      excluded: await wrongContracts(db, receiptId),
    });
  };

  /** Which contracts the same payer's earlier payments went to, and how often with this amount. */
  async function paidFor(
    db: Db | Tx,
    { payments, minor }: { payments: readonly EarlierPayment[]; minor: bigint },
  ): Promise<Clues["paid"]> {
    const shares = await contracts.shares(
      db,
      payments.flatMap(({ causes }) => causes),
    );
    const counts = new Map<ContractId, { payments: number; sameAmount: number }>();
    for (const payment of payments) {
      const held = new Map<ContractId, bigint>();
      for (const { contractId, cause, receivedMinor } of shares)
        if (payment.causes.includes(cause)) held.set(contractId, (held.get(contractId) ?? 0n) + receivedMinor);
      for (const [contractId, has] of held) {
        if (has <= 0n) continue; // taken away from it again: that payment says nothing
        const count = counts.get(contractId) ?? { payments: 0, sameAmount: 0 };
        count.payments += 1;
        if (payment.amountMinor === minor) count.sameAmount += 1;
        counts.set(contractId, count);
      }
    }
    return [...counts].map(([contractId, count]) => ({ contractId, ...count }));
  }
}

async function wrongContracts(db: Db | Tx, receiptId: ReceiptId): Promise<ReadonlySet<string>> {
  const unlinked = (await listMovements(db, receiptId)).filter(({ kind }) => kind === "unlinked");
  return new Set(unlinked.flatMap(({ contractId }) => contractId ?? []));
}

function firstOfEach<Row extends { readonly contractId: ContractId }>(rows: readonly Row[]): readonly Row[] {
  return [...new Map(rows.toReversed().map((row) => [row.contractId, row])).values()];
}
