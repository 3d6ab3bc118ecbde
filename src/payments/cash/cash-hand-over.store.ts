import { sql } from "drizzle-orm";
import type { StaffId, TransactionId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import type { Db, Tx } from "../../platform/database.ts";
import type { HandOver, HandOverState } from "./cash-records.ts";

interface Row extends Record<string, unknown> {
  id: string;
  agent_id: StaffId;
  offered_minor: string;
  currency: Currency;
  offered_at: string;
  state: HandOverState;
  counted_minor: string | null;
  decided_by: string | null;
  decided_at: string | null;
  reason: string | null;
}

function handOverOf(row: Row): HandOver {
  return {
    id: row.id,
    agentId: row.agent_id,
    offered: { minor: BigInt(row.offered_minor), currency: row.currency },
    offeredAt: new Date(row.offered_at),
    state: row.state,
    countedMinor: row.counted_minor === null ? null : BigInt(row.counted_minor),
    decidedBy: row.decided_by,
    decidedAt: row.decided_at === null ? null : new Date(row.decided_at),
    reason: row.reason,
  };
}

const HAND_OVER = sql.raw(
  "id, agent_id, offered_minor, currency, offered_at, state, counted_minor, decided_by, decided_at, reason",
);

/** Answers whether the key was free. */
export async function insertHandOver(
  tx: Tx,
  { id, agentId, offered, offeredAt }: HandOver,
  clientKey: string,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    insert into payments.cash_hand_overs (id, agent_id, client_key, offered_minor, currency, offered_at, state)
    values (${id}, ${agentId}, ${clientKey}, ${offered.minor.toString()}, ${offered.currency}, ${offeredAt.toISOString()}, 'offered')
    on conflict (agent_id, client_key) do nothing returning 1`);
  return rows.length === 1;
}

export async function findByKey(
  tx: Tx,
  { agentId, clientKey }: { agentId: StaffId; clientKey: string },
): Promise<HandOver | undefined> {
  const [row] = await tx.execute<Row>(
    sql`select ${HAND_OVER} from payments.cash_hand_overs where agent_id = ${agentId} and client_key = ${clientKey}`,
  );
  return row === undefined ? undefined : handOverOf(row);
}

export async function findHandOver(db: Db | Tx, id: string): Promise<HandOver | undefined> {
  const [row] = await db.execute<Row>(sql`select ${HAND_OVER} from payments.cash_hand_overs where id = ${id}`);
  return row === undefined ? undefined : handOverOf(row);
}

export async function listHandOvers(
  db: Db | Tx,
  {
    agentId,
    state,
    first,
    after,
  }: {
    agentId?: StaffId | undefined;
    state?: HandOverState | undefined;
    first: number;
    after?: { offeredAt: Date; id: string } | undefined;
  },
): Promise<readonly HandOver[]> {
  const whose = agentId === undefined ? sql`true` : sql`agent_id = ${agentId}`;
  const which = state === undefined ? sql`true` : sql`state = ${state}`;
  const from =
    after === undefined
      ? sql`true`
      : sql`(offered_at, id) < (${after.offeredAt.toISOString()}::timestamptz, ${after.id}::uuid)`;
  const rows = await db.execute<Row>(sql`
    select ${HAND_OVER} from payments.cash_hand_overs where ${whose} and ${which} and ${from}
    order by offered_at desc, id desc limit ${first}`);
  return rows.map(handOverOf);
}

/** Ends an offer; answers whether it was open. */
export async function decideHandOver(
  tx: Tx,
  decision: {
    id: string;
    state: "accepted" | "rejected";
    countedMinor?: bigint;
    by: string;
    at: Date;
    reason?: string;
    transactionId?: TransactionId;
  },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update payments.cash_hand_overs set state = ${decision.state}, counted_minor = ${decision.countedMinor?.toString() ?? null}::bigint,
      decided_by = ${decision.by}, decided_at = ${decision.at.toISOString()}, reason = ${decision.reason ?? null},
      transaction_id = ${decision.transactionId ?? null}::uuid
    where id = ${decision.id} and state = 'offered' returning 1`);
  return rows.length === 1;
}
