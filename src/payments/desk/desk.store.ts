import { sql } from "drizzle-orm";
import { looksLikeId, type ContractId, type ReceiptId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { column, type Db, type Tx } from "../../platform/database.ts";
import { canonicalJson } from "../../platform/idempotency.ts";
import type { Approval, ApprovalId, ApprovalState, DeskAct, DeskDone } from "./desk-records.ts";

/** Puts money that could not be paid out back into suspense, for the reason for which it lay there before. */
export async function returnToSuspense(
  tx: Tx,
  { receiptId, minor, at }: { receiptId: ReceiptId; minor: bigint; at: Date },
): Promise<void> {
  const rows = await tx.execute(sql`
    update payments.suspense set open_minor = open_minor + ${minor.toString()}::bigint, resolved_at = null, resolved_by = null, resolution = null,
      opened_at = case when resolved_at is null then opened_at else ${at.toISOString()}::timestamptz end
    where receipt_id = ${receiptId} returning 1`);
  if (rows.length === 0) throw new Error(`Bug: receipt ${receiptId} was refunded and never lay in suspense.`);
}

/** The newest receipt behind some allocations that came by one of the rails, with the number that was paid. */
export async function findLastReceipt(
  tx: Tx,
  { causes, rails }: { causes: readonly string[]; rails: readonly string[] },
): Promise<{ rail: string; shortcode: string } | undefined> {
  const [row] = await tx.execute<{ rail: string; shortcode: string }>(sql`
    select r.rail, c.shortcode from payments.receipts r join payments.callbacks c on c.id = r.callback_id
    where r.rail = any(${column(rails, "text")}) and r.id in (
      select unnest(${column(causes.filter(looksLikeId), "uuid")})
      union select receipt_id from payments.movements where cause = any(${column(causes, "text")}) and kind = 'matched')
    order by r.paid_at desc, r.id desc limit 1`);
  return row;
}

interface ApprovalRow extends Record<string, unknown> {
  id: ApprovalId;
  input: StoredAct;
  amount_minor: string;
  currency: Currency;
  reason: string;
  proposed_by: string;
  proposed_at: string;
  state: ApprovalState;
  decided_by: string | null;
  decided_at: string | null;
  decision: string | null;
  outcome: DeskDone | null;
}

/** An act as JSON carries it: amounts as text. */
interface StoredAct {
  readonly kind: DeskAct["kind"];
  readonly receiptId?: ReceiptId;
  readonly contractId?: ContractId;
  readonly amountMinor?: string;
  readonly phone?: string;
  readonly rail?: string;
  readonly parts?: readonly { readonly contractId: ContractId; readonly amountMinor: string }[];
}

function approvalOf(row: ApprovalRow): Approval {
  return {
    id: row.id,
    act: actOf(row.input),
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
    reason: row.reason,
    proposedBy: row.proposed_by,
    proposedAt: new Date(row.proposed_at),
    state: row.state,
    decidedBy: row.decided_by,
    decidedAt: row.decided_at === null ? null : new Date(row.decided_at),
    decision: row.decision,
    outcome: row.outcome,
  };
}

/** Only `insertApproval` writes this column, from an act with every amount written out. */
function actOf({ amountMinor, parts, ...stored }: StoredAct): DeskAct {
  return {
    ...stored,
    ...(amountMinor === undefined ? {} : { amountMinor: BigInt(amountMinor) }),
    ...(parts === undefined
      ? {}
      : { parts: parts.map((part) => ({ ...part, amountMinor: BigInt(part.amountMinor) })) }),
  } as DeskAct;
}

export async function insertApproval(tx: Tx, approval: Approval): Promise<void> {
  const { act, amount } = approval;
  await tx.execute(sql`
    insert into payments.approvals (id, act, input, receipt_id, contract_id, amount_minor, currency, reason, proposed_by, proposed_at, state)
    values (${approval.id}, ${act.kind}, ${canonicalJson(act)}::jsonb, ${"receiptId" in act ? act.receiptId : null}::uuid,
      ${"contractId" in act ? act.contractId : null}::uuid, ${amount.minor.toString()}::bigint, ${amount.currency}, ${approval.reason},
      ${approval.proposedBy}, ${approval.proposedAt.toISOString()}, 'proposed')`);
}

const APPROVAL = sql.raw(
  "id, input, amount_minor, currency, reason, proposed_by, proposed_at, state, decided_by, decided_at, decision, outcome",
);

export async function lockApproval(tx: Tx, id: ApprovalId): Promise<Approval | undefined> {
  const [row] = await tx.execute<ApprovalRow>(
    sql`select ${APPROVAL} from payments.approvals where id = ${id} for update`,
  );
  return row === undefined ? undefined : approvalOf(row);
}

export async function findApproval(db: Db | Tx, id: ApprovalId): Promise<Approval | undefined> {
  const [row] = await db.execute<ApprovalRow>(sql`select ${APPROVAL} from payments.approvals where id = ${id}`);
  return row === undefined ? undefined : approvalOf(row);
}

/** Oldest first, so that nothing waits for ever. */
export async function listApprovals(
  db: Db | Tx,
  {
    state,
    first,
    after,
  }: {
    state?: ApprovalState | undefined;
    first: number;
    after?: { proposedAt: Date; id: ApprovalId } | undefined;
  },
): Promise<readonly Approval[]> {
  const rows = await db.execute<ApprovalRow>(sql`
    select ${APPROVAL} from payments.approvals where (${state ?? null}::text is null or state = ${state ?? null})
      and (${after?.id ?? null}::uuid is null or (proposed_at, id) > (${after?.proposedAt.toISOString() ?? null}::timestamptz, ${after?.id ?? null}::uuid))
    order by proposed_at, id limit ${first}`);
  return rows.map(approvalOf);
}

export async function listApprovalsOf(db: Db | Tx, receiptId: ReceiptId): Promise<readonly Approval[]> {
  const rows = await db.execute<ApprovalRow>(
    sql`select ${APPROVAL} from payments.approvals where receipt_id = ${receiptId} order by proposed_at, id`,
  );
  return rows.map(approvalOf);
}

export async function decideApproval(
  tx: Tx,
  { id, state, decidedBy, decidedAt, decision, outcome }: Approval & { decidedAt: Date },
): Promise<void> {
  await tx.execute(sql`
    update payments.approvals set state = ${state}, decided_by = ${decidedBy}, decided_at = ${decidedAt.toISOString()}, decision = ${decision},
      outcome = ${outcome === null ? null : JSON.stringify(outcome)}::jsonb where id = ${id} and state = 'proposed'`);
}
