import { sql } from "drizzle-orm";
import type { ReceiptId } from "../../kernel/ids.ts";
import { rowsTable, type Db, type Tx } from "../../platform/database.ts";

/** Where some of a receipt's money went after its first place. */
export interface Movement {
  readonly id: string;
  readonly receiptId: ReceiptId;
  readonly kind: "matched" | "unlinked" | "reversed" | "refund" | "refund_returned";
  /** Names the act for ever; contracts keep their allocation of it under the same name. */
  readonly cause: string;
  readonly amountMinor: bigint;
  readonly contractId: string | null;
  readonly actor: string;
  readonly approvedBy: string | null;
  readonly reason: string;
  readonly transactionId: string | null;
  readonly at: Date;
}

export async function insertMovement(tx: Tx, movement: Movement): Promise<void> {
  const given = rowsTable([movement], {
    id: ["uuid", ({ id }) => id],
    receipt_id: ["uuid", ({ receiptId }) => receiptId],
    kind: ["text", ({ kind }) => kind],
    cause: ["text", ({ cause }) => cause],
    amount_minor: ["bigint", ({ amountMinor }) => amountMinor],
    contract_id: ["uuid", ({ contractId }) => contractId],
    actor: ["text", ({ actor }) => actor],
    approved_by: ["text", ({ approvedBy }) => approvedBy],
    reason: ["text", ({ reason }) => reason],
    transaction_id: ["uuid", ({ transactionId }) => transactionId],
    at: ["timestamptz", ({ at }) => at],
  });
  await tx.execute(sql`insert into payments.movements (${given.names}) select * from ${given.table}`);
}

interface Row extends Record<string, unknown> {
  id: string;
  receipt_id: ReceiptId;
  kind: Movement["kind"];
  cause: string;
  amount_minor: string;
  contract_id: string | null;
  actor: string;
  approved_by: string | null;
  reason: string;
  transaction_id: string | null;
  at: string;
}

/** Of one receipt, in the order in which they were made. */
export async function listMovements(db: Db | Tx, receiptId: ReceiptId): Promise<readonly Movement[]> {
  const rows = await db.execute<Row>(
    sql`select * from payments.movements where receipt_id = ${receiptId} order by at, id`,
  );
  return rows.map((row) => ({
    id: row.id,
    receiptId: row.receipt_id,
    kind: row.kind,
    cause: row.cause,
    amountMinor: BigInt(row.amount_minor),
    contractId: row.contract_id,
    actor: row.actor,
    approvedBy: row.approved_by,
    reason: row.reason,
    transactionId: row.transaction_id,
    at: new Date(row.at),
  }));
}

/** The names under which contracts keep what they have of a receipt: its own, and those of later acts. */
export async function causesOf(db: Db | Tx, receiptId: ReceiptId): Promise<readonly string[]> {
  return [receiptId, ...(await listMovements(db, receiptId)).map(({ cause }) => cause)];
}
