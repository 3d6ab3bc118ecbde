import { sql } from "drizzle-orm";
import type { IntentId } from "../../kernel/ids.ts";
import type { Currency } from "../../kernel/money.ts";
import { column, rowsTable, type Db, type Tx } from "../../platform/database.ts";
import type { Intent } from "../payments.ts";
import type { IntentState, Step } from "./requests.ts";

interface Row extends Record<string, unknown> {
  id: IntentId;
  rail: string;
  correlation: string;
  provider_correlation: string | null;
  memory: Record<string, string>;
  pay_at: string | null;
  reference: string;
  phone: string;
  amount_minor: string;
  currency: Currency;
  requested_by: string;
  asked_through: Intent["askedThrough"];
  state: IntentState;
  reason: string | null;
  provider_id: string | null;
  was_accepted: boolean;
  attempts: number;
  enquiries: number;
  created_at: string;
  expires_at: string;
  finished_at: string | null;
}

function intentOf(row: Row): Intent {
  return {
    id: row.id,
    rail: row.rail,
    correlation: row.correlation,
    providerCorrelation: row.provider_correlation ?? undefined,
    memory: row.memory,
    payAt: row.pay_at,
    reference: row.reference,
    phone: row.phone,
    amount: { minor: BigInt(row.amount_minor), currency: row.currency },
    requestedBy: row.requested_by,
    askedThrough: row.asked_through,
    state: row.state,
    reason: row.reason,
    providerId: row.provider_id,
    wasAccepted: row.was_accepted,
    attempts: row.attempts,
    enquiries: row.enquiries,
    createdAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
    finishedAt: row.finished_at === null ? null : new Date(row.finished_at),
  };
}

/** Two requests for one account and phone at the same moment wait for each other; ends with the transaction. */
export async function lockPayer(tx: Tx, { reference, phone }: { reference: string; phone: string }): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`intent ${reference} ${phone}`}, 0))`);
}

export async function insertIntent(tx: Tx, intent: Intent, payerHash: Uint8Array): Promise<void> {
  const given = rowsTable([intent], {
    id: ["uuid", ({ id }) => id],
    rail: ["text", ({ rail }) => rail],
    correlation: ["text", ({ correlation }) => correlation],
    reference: ["text", ({ reference }) => reference],
    phone: ["text", ({ phone }) => phone],
    payer_hash: ["bytea", () => payerHash],
    amount_minor: ["bigint", ({ amount }) => amount.minor],
    currency: ["text", ({ amount }) => amount.currency],
    requested_by: ["text", ({ requestedBy }) => requestedBy],
    asked_through: ["text", ({ askedThrough }) => askedThrough],
    state: ["text", ({ state }) => state],
    created_at: ["timestamptz", ({ createdAt }) => createdAt],
    expires_at: ["timestamptz", ({ expiresAt }) => expiresAt],
    next_step_at: ["timestamptz", ({ createdAt }) => createdAt],
  });
  await tx.execute(sql`insert into payments.intents (${given.names}) select * from ${given.table}`);
}

export async function findIntents(db: Db | Tx, ids: readonly IntentId[]): Promise<ReadonlyMap<IntentId, Intent>> {
  const rows = await db.execute<Row>(sql`select * from payments.intents where id = any(${column(ids, "uuid")})`);
  return new Map(rows.map((row) => [row.id, intentOf(row)]));
}

/** Of one account, newest first. */
export async function listIntents(
  db: Db | Tx,
  { reference, openOnly = false, limit }: { reference: string; openOnly?: boolean; limit: number },
): Promise<readonly Intent[]> {
  const rows = await db.execute<Row>(sql`
    select * from payments.intents where reference = ${reference} and (not ${openOnly}::boolean or state in ('created', 'sending', 'pending'))
    order by created_at desc, id desc limit ${limit}`);
  return rows.map(intentOf);
}

/** A request that is due, with the state it had before this claim moved it to `sending`. */
export type ClaimedIntent = Intent & { readonly before: IntentState };

/** Claims what is due for `leaseMs`: a process that dies leaves its claims to whoever comes after that time. */
export async function claimIntents(
  tx: Tx,
  { now, leaseMs, limit }: { now: Date; leaseMs: number; limit: number },
): Promise<readonly ClaimedIntent[]> {
  const rows = await tx.execute<Row & { before: IntentState }>(sql`
    with due as (
      select id, state as before from payments.intents where next_step_at <= ${now.toISOString()}::timestamptz
      order by next_step_at limit ${limit} for update skip locked)
    update payments.intents i set next_step_at = ${new Date(now.getTime() + leaseMs).toISOString()}::timestamptz,
      state = case i.state when 'created' then 'sending' else i.state end,
      attempts = i.attempts + case i.state when 'created' then 1 else 0 end
    from due where i.id = due.id returning i.*, due.before`);
  return rows.map((row) => ({ ...intentOf(row), before: row.before }));
}

/**
 * Writes a step, unless the payment came meanwhile: a completed request stays completed. `expected` is the state that the
 * deciding saw; another one means that somebody else went on, and nothing is written.
 */
export async function saveStep(
  tx: Tx,
  {
    id,
    expected,
    step,
    isEnquiry,
    now,
    answer = {},
  }: {
    id: IntentId;
    expected: IntentState;
    step: Step;
    isEnquiry: boolean;
    now: Date;
    answer?: {
      readonly providerCorrelation?: string | undefined;
      readonly payAt?: string | undefined;
      readonly memory?: Readonly<Record<string, string>> | undefined;
    };
  },
): Promise<void> {
  const isFinal = step.state === "completed" || step.state === "failed" || step.state === "expired";
  await tx.execute(sql`
    update payments.intents set state = ${step.state}, was_accepted = was_accepted or ${step.wasAccepted}::boolean, reason = ${step.reason?.slice(0, 500) ?? null},
      next_step_at = ${step.nextStepAt?.toISOString() ?? null}::timestamptz, enquiries = enquiries + ${isEnquiry ? 1 : 0},
      finished_at = case when ${isFinal}::boolean then coalesce(finished_at, ${now.toISOString()}::timestamptz) else null end,
      provider_correlation = coalesce(${answer.providerCorrelation ?? null}, provider_correlation),
      pay_at = coalesce(${answer.payAt ?? null}, pay_at), memory = memory || ${JSON.stringify(answer.memory ?? {})}::jsonb
    where id = ${id} and state = ${expected}`);
  if (answer.providerCorrelation === undefined && answer.memory === undefined) return;
  // The payment may have overtaken the answer to its request; what the answer tells is kept all the same.
  await tx.execute(sql`
    update payments.intents set provider_correlation = coalesce(${answer.providerCorrelation ?? null}, provider_correlation),
      memory = memory || ${JSON.stringify(answer.memory ?? {})}::jsonb
    where id = ${id} and state = 'completed'`);
}

/** What was kept for a request of a rail, by our name of it or by a remembered value. */
export async function findRemembered(
  db: Db | Tx,
  {
    rail,
    correlation,
    remembered,
  }: {
    rail: string;
    correlation?: string;
    remembered?: { readonly name: string; readonly value: string };
  },
): Promise<{ correlation: string; memory: Readonly<Record<string, string>> } | undefined> {
  const by =
    remembered === undefined
      ? sql`correlation = ${correlation ?? ""}`
      : sql`memory @> ${JSON.stringify({ [remembered.name]: remembered.value })}::jsonb and memory <> '{}'`;
  const [row] = await db.execute<{ correlation: string; memory: Record<string, string> }>(sql`
    select correlation, memory from payments.intents where rail = ${rail} and ${by} limit 1`);
  return row;
}

/** Requests that a notice is about, by any of their names, locked for a change. */
export async function lockByCorrelation(
  tx: Tx,
  { rail, correlation }: { rail: string; correlation: string },
): Promise<Intent | undefined> {
  const [name = "", ...rest] = correlation.split(":");
  const [row] = await tx.execute<Row>(sql`
    select * from payments.intents where rail = ${rail} and (correlation = ${correlation} or provider_correlation = ${correlation}
      or (${rest.length > 0}::boolean and memory @> ${JSON.stringify({ [name]: rest.join(":") })}::jsonb)) limit 1 for update`);
  return row === undefined ? undefined : intentOf(row);
}

/** Makes a request due now: somebody told us something about it. One that is paid is looked at again only for a reversal. */
export async function wake(
  tx: Tx,
  { id, now, isReversal = false }: { id: IntentId; now: Date; isReversal?: boolean },
): Promise<void> {
  await tx.execute(sql`
    update payments.intents set next_step_at = least(next_step_at, ${now.toISOString()}::timestamptz)
    where id = ${id} and state in ('pending', 'expired', 'failed') and next_step_at is not null`);
  await tx.execute(sql`
    update payments.intents set next_step_at = ${now.toISOString()}::timestamptz
    where id = ${id} and (state in ('expired', 'failed') or (state = 'completed' and ${isReversal}::boolean)) and next_step_at is null`);
}

/** A payment of the batch that came without the name of the request that it may answer. */
export interface Unnamed {
  readonly rail: string;
  readonly providerId: string;
  readonly reference: string;
  readonly payerHash: Uint8Array | undefined;
  readonly amountMinor: bigint;
  readonly paidAt: Date;
}

/** A payer takes some minutes to approve, networks some hours to tell. */
const ANSWER_WITHIN = "2 days";

/**
 * Attaches payments to the requests that they answer, where a rail tells the payment without the request's name: the same
 * rail, amount and time, and the same account or, where none was typed, the same payer; one candidate, or none is taken.
 * Answers the account of the request by payment, for those that came without one.
 */
export async function attachUnnamed(tx: Tx, payments: readonly Unnamed[]): Promise<ReadonlyMap<string, string>> {
  if (payments.length === 0) return new Map();
  const given = rowsTable(payments, {
    rail: ["text", ({ rail }) => rail],
    provider_id: ["text", ({ providerId }) => providerId],
    reference: ["text", ({ reference }) => reference.trim().toUpperCase()],
    payer_hash: ["bytea", ({ payerHash }) => payerHash],
    amount_minor: ["bigint", ({ amountMinor }) => amountMinor],
    paid_at: ["timestamptz", ({ paidAt }) => paidAt],
  });
  const rows = await tx.execute<{ provider_id: string; rail: string; reference: string }>(sql`
    with given as (select * from ${given.table} as g(${given.names})),
    candidates as (
      select g.rail, g.provider_id, g.paid_at, i.id from given g join payments.intents i on i.reference = g.reference and i.rail = g.rail
        and i.amount_minor = g.amount_minor and i.state <> 'completed' and (g.payer_hash is null or g.payer_hash = i.payer_hash)
        and g.paid_at between i.created_at - interval '5 minutes' and i.created_at + interval '${sql.raw(ANSWER_WITHIN)}' where g.reference <> ''
      union all
      select g.rail, g.provider_id, g.paid_at, i.id from given g join payments.intents i on i.rail = g.rail and i.payer_hash = g.payer_hash
        and i.amount_minor = g.amount_minor and i.state <> 'completed'
        and g.paid_at between i.created_at - interval '5 minutes' and i.created_at + interval '${sql.raw(ANSWER_WITHIN)}' where g.reference = ''),
    alone as (
      select rail, provider_id, min(paid_at) as paid_at, min(id::text)::uuid as id from candidates group by rail, provider_id having count(*) = 1),
    once as (select distinct on (id) * from alone order by id, paid_at, provider_id)
    update payments.intents i set state = 'completed', reason = null, provider_id = once.provider_id, finished_at = once.paid_at, next_step_at = null
    from once where i.id = once.id and i.state <> 'completed' returning once.rail, once.provider_id, i.reference`);
  return new Map(rows.map((row) => [`${row.rail}/${row.provider_id}`, row.reference]));
}
