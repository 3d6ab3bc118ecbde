import { sql, type SQL } from "drizzle-orm";
import type { ContractId, StaffId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import type { AccountId } from "../../ledger/ledger.ts";
import { column, rowsTable, type Db, type Tx } from "../../platform/database.ts";
import type { WaitingReason } from "./cash-limit.ts";
import type { CashReceiptNumber } from "./cash-number.ts";
import type { CashReceipt, Holding } from "./cash-records.ts";

/**
 * Takes the agent's row for this transaction; whoever else acts on the agent's cash waits. A new agent gets a code. Every
 * act takes it before it reads a holding, a receipt or a hand-over.
 */
export async function lockAgent(
  tx: Tx,
  agentId: StaffId,
  now: Date,
): Promise<{ readonly code: number; readonly nextSequence: number }> {
  const select = sql`select code, next_sequence from payments.cash_agents where agent_id = ${agentId} for update`;
  const [found] = await tx.execute<{ code: number; next_sequence: number }>(select);
  if (found !== undefined) return { code: found.code, nextSequence: found.next_sequence };
  await tx.execute(sql`
    insert into payments.cash_agents (agent_id, created_at) values (${agentId}, ${now.toISOString()}) on conflict do nothing`);
  const [made] = await tx.execute<{ code: number; next_sequence: number }>(select);
  if (made === undefined) throw new Error(`Agent ${agentId} cannot be seen after being added.`);
  return { code: made.code, nextSequence: made.next_sequence };
}

export async function setNextSequence(tx: Tx, agentId: StaffId, next: number): Promise<void> {
  await tx.execute(sql`update payments.cash_agents set next_sequence = ${next} where agent_id = ${agentId}`);
}

interface HoldingRow extends Record<string, unknown> {
  agent_id: StaffId;
  currency: Currency;
  booked_minor: string;
  provisional_minor: string;
  offered_minor: string;
  clearing_account_id: string;
  commission_account_id: string;
}

function holdingOf(row: HoldingRow): Holding {
  return {
    agentId: row.agent_id,
    currency: row.currency,
    bookedMinor: BigInt(row.booked_minor),
    provisionalMinor: BigInt(row.provisional_minor),
    offeredMinor: BigInt(row.offered_minor),
    clearingAccountId: BigInt(row.clearing_account_id),
    commissionAccountId: BigInt(row.commission_account_id),
  };
}

/** An agent's holdings by currency. */
export async function findHoldings(db: Db | Tx, agentId: StaffId): Promise<readonly Holding[]> {
  const rows = await db.execute<HoldingRow>(sql`
    select agent_id, currency, booked_minor, provisional_minor, offered_minor, clearing_account_id, commission_account_id
    from payments.cash_holdings where agent_id = ${agentId} order by currency`);
  return rows.map(holdingOf);
}

export async function insertHolding(
  tx: Tx,
  holding: {
    agentId: StaffId;
    currency: Currency;
    clearingAccountId: AccountId;
    commissionAccountId: AccountId;
  },
): Promise<void> {
  await tx.execute(sql`
    insert into payments.cash_holdings (agent_id, currency, clearing_account_id, commission_account_id)
    values (${holding.agentId}, ${holding.currency}, ${holding.clearingAccountId.toString()}, ${holding.commissionAccountId.toString()})
    on conflict do nothing`);
}

/** Moves a holding by these differences. The table refuses to let it fall below nothing. */
export async function moveHolding(
  tx: Tx,
  { agentId, currency }: { agentId: StaffId; currency: Currency },
  by: { bookedMinor?: bigint; provisionalMinor?: bigint; offeredMinor?: bigint },
): Promise<void> {
  const difference = (minor: bigint | undefined): SQL => sql`${(minor ?? 0n).toString()}::bigint`;
  await tx.execute(sql`
    update payments.cash_holdings set booked_minor = booked_minor + ${difference(by.bookedMinor)},
      provisional_minor = provisional_minor + ${difference(by.provisionalMinor)}, offered_minor = offered_minor + ${difference(by.offeredMinor)}
    where agent_id = ${agentId} and currency = ${currency}`);
}

/** The limits that count for an agent: the agent's own, else everybody's. */
export async function limitsOf(db: Db | Tx, agentId: StaffId): Promise<ReadonlyMap<Currency, bigint>> {
  const rows = await db.execute<{ currency: Currency; limit_minor: string }>(sql`
    select distinct on (currency) currency, limit_minor from payments.cash_limits
    where agent_id = ${agentId} or agent_id is null order by currency, agent_id nulls last`);
  return new Map(rows.map((row) => [row.currency, BigInt(row.limit_minor)]));
}

export async function setLimit(
  tx: Tx,
  limit: { agentId: StaffId | null; currency: Currency; limitMinor: bigint; actor: string; at: Date },
): Promise<void> {
  await tx.execute(sql`
    insert into payments.cash_limits (agent_id, currency, limit_minor, set_by, set_at)
    values (${limit.agentId}::uuid, ${limit.currency}, ${limit.limitMinor.toString()}, ${limit.actor}, ${limit.at.toISOString()})
    on conflict (agent_id, currency) do update
      set limit_minor = excluded.limit_minor, set_by = excluded.set_by, set_at = excluded.set_at`);
}

/** Agents with receipts that wait, in the order in which they are locked. */
export async function agentsWaiting(tx: Tx, currency: Currency): Promise<readonly StaffId[]> {
  const rows = await tx.execute<{ agent_id: StaffId }>(sql`
    select agent_id from payments.cash_holdings where currency = ${currency} and provisional_minor > 0 order by agent_id`);
  return rows.map(({ agent_id }) => agent_id);
}

interface ReceiptRow extends Record<string, unknown> {
  receipt_number: CashReceiptNumber;
  agent_id: StaffId;
  sequence: number;
  contract_id: ContractId;
  reference: string;
  amount_minor: string;
  currency: Currency;
  taken_at: string;
  received_at: string;
  state: CashReceipt["state"];
  reason: WaitingReason | null;
  booked_at: string | null;
  released_by: string | null;
  cancelled_by: string | null;
  raw: string;
}

/** A receipt with the bytes that were sent. */
export interface StoredCashReceipt extends CashReceipt {
  readonly raw: string;
}

function receiptOf(row: ReceiptRow): StoredCashReceipt {
  return {
    number: row.receipt_number,
    agentId: row.agent_id,
    sequence: row.sequence,
    contractId: row.contract_id,
    reference: row.reference,
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
    takenAt: new Date(row.taken_at),
    receivedAt: new Date(row.received_at),
    state: row.state,
    reason: row.reason,
    bookedAt: row.booked_at === null ? null : new Date(row.booked_at),
    releasedBy: row.released_by,
    cancelledBy: row.cancelled_by,
    raw: row.raw,
  };
}

const RECEIPT =
  sql.raw(`r.receipt_number, r.agent_id, r.sequence, r.contract_id, r.reference, r.amount_minor, r.currency, r.taken_at,
  r.received_at, r.state, r.reason, r.booked_at, r.released_by, r.cancelled_by, r.raw`);

/** Answers whether the key and the number were free: they decide, whatever was read before. */
export async function insertReceipt(tx: Tx, clientKey: string, receipt: StoredCashReceipt): Promise<boolean> {
  const given = rowsTable([receipt], {
    receipt_number: ["text", ({ number }) => number],
    agent_id: ["uuid", ({ agentId }) => agentId],
    sequence: ["integer", ({ sequence }) => sequence],
    client_key: ["text", () => clientKey],
    raw: ["text", ({ raw }) => raw],
    contract_id: ["uuid", ({ contractId }) => contractId],
    reference: ["text", ({ reference }) => reference],
    amount_minor: ["bigint", ({ amount }) => amount.minor],
    currency: ["text", ({ amount }) => amount.currency],
    taken_at: ["timestamptz", ({ takenAt }) => takenAt],
    received_at: ["timestamptz", ({ receivedAt }) => receivedAt],
    state: ["text", ({ state }) => state],
    reason: ["text", ({ reason }) => reason],
    booked_at: ["timestamptz", ({ bookedAt }) => bookedAt],
  });
  const rows = await tx.execute(sql`
    insert into payments.cash_receipts (${given.names}) select * from ${given.table} as given(${given.names})
    on conflict do nothing returning 1`);
  return rows.length === 1;
}

export async function findByKey(
  tx: Tx,
  { agentId, clientKey }: { agentId: StaffId; clientKey: string },
): Promise<StoredCashReceipt | undefined> {
  const [row] = await tx.execute<ReceiptRow>(sql`
    select ${RECEIPT} from payments.cash_receipts r where r.agent_id = ${agentId} and r.client_key = ${clientKey}`);
  return row === undefined ? undefined : receiptOf(row);
}

export async function findReceipts(
  db: Db | Tx,
  numbers: readonly CashReceiptNumber[],
): Promise<ReadonlyMap<CashReceiptNumber, StoredCashReceipt>> {
  const rows = await db.execute<ReceiptRow>(
    sql`select ${RECEIPT} from payments.cash_receipts r where r.receipt_number = any(${column(numbers, "text")})`,
  );
  return new Map(rows.map((row) => [row.receipt_number, receiptOf(row)]));
}

export async function listProvisional(
  db: Db | Tx,
  { agentId, limit }: { agentId?: StaffId | undefined; limit: number },
): Promise<readonly CashReceipt[]> {
  const whose = agentId === undefined ? sql`` : sql`and r.agent_id = ${agentId}`;
  const rows = await db.execute<ReceiptRow>(sql`
    select ${RECEIPT} from payments.cash_receipts r where r.state = 'provisional' ${whose}
    order by r.agent_id, r.currency, r.taken_at, r.sequence limit ${limit}`);
  return rows.map(receiptOf);
}

/**
 * Books the waiting receipts of an agent for which there is room, in the order in which they were taken; the first that
 * does not fit holds up the rest, so that a large one is not passed over for ever.
 */
export async function bookFitting(
  tx: Tx,
  { agentId, currency, roomMinor, at }: { agentId: StaffId; currency: Currency; roomMinor: bigint; at: Date },
): Promise<readonly StoredCashReceipt[]> {
  const rows = await tx.execute<ReceiptRow>(sql`
    update payments.cash_receipts r set state = 'booked', booked_at = ${at.toISOString()}::timestamptz
    from (select receipt_number, sum(amount_minor) over (order by taken_at, sequence) as running from payments.cash_receipts
          where agent_id = ${agentId} and currency = ${currency} and state = 'provisional') waiting
    where r.receipt_number = waiting.receipt_number and waiting.running <= ${roomMinor.toString()}::bigint
    returning ${RECEIPT}`);
  return rows
    .map(receiptOf)
    .toSorted((left, right) => left.takenAt.getTime() - right.takenAt.getTime() || left.sequence - right.sequence);
}

/** Books one waiting receipt on an officer's word; undefined when it does not wait. */
export async function bookReleased(
  tx: Tx,
  { number, at, actor, reason }: { number: CashReceiptNumber; at: Date; actor: string; reason: string },
): Promise<StoredCashReceipt | undefined> {
  const [row] = await tx.execute<ReceiptRow>(sql`
    update payments.cash_receipts r set state = 'booked', booked_at = ${at.toISOString()}::timestamptz,
      released_by = ${actor}, release_reason = ${reason}
    where r.receipt_number = ${number} and r.state = 'provisional' returning ${RECEIPT}`);
  return row === undefined ? undefined : receiptOf(row);
}

/** Cancels a receipt; undefined when it was cancelled before. */
export async function cancel(
  tx: Tx,
  { number, at, actor, reason }: { number: CashReceiptNumber; at: Date; actor: string; reason: string },
): Promise<StoredCashReceipt | undefined> {
  const [row] = await tx.execute<ReceiptRow>(sql`
    update payments.cash_receipts r set state = 'cancelled', cancelled_at = ${at.toISOString()}::timestamptz,
      cancelled_by = ${actor}, cancel_reason = ${reason}
    where r.receipt_number = ${number} and r.state <> 'cancelled' returning ${RECEIPT}`);
  return row === undefined ? undefined : receiptOf(row);
}
