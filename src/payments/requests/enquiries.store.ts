import { sql } from "drizzle-orm";
import type { Tx } from "../../platform/database.ts";

/** A transaction that an unsigned callback told of: the provider is asked before it is booked. */
export interface Enquiry {
  readonly rail: string;
  readonly providerId: string;
  /** Random; where the answer comes to a door, it is part of the address. */
  readonly correlation: string;
  readonly noticeId: bigint;
  readonly state: "open" | "agreed" | "disagreed" | "unanswered";
  readonly attempts: number;
  readonly createdAt: Date;
}

interface Row extends Record<string, unknown> {
  rail: string;
  provider_id: string;
  correlation: string;
  notice_id: string;
  state: Enquiry["state"];
  attempts: number;
  created_at: string;
}

const enquiryOf = (row: Row): Enquiry => ({
  rail: row.rail,
  providerId: row.provider_id,
  correlation: row.correlation,
  noticeId: BigInt(row.notice_id),
  state: row.state,
  attempts: row.attempts,
  createdAt: new Date(row.created_at),
});

/**
 * Opens an enquiry, due at once. One that ended without agreement is opened again: a forged callback must not stop the true
 * one that comes later.
 */
export async function openEnquiry(
  tx: Tx,
  enquiry: Pick<Enquiry, "rail" | "providerId" | "correlation" | "noticeId">,
  now: Date,
): Promise<void> {
  await tx.execute(sql`
    insert into payments.enquiries as e (rail, provider_id, correlation, notice_id, state, created_at, next_step_at)
    values (${enquiry.rail}, ${enquiry.providerId}, ${enquiry.correlation}, ${enquiry.noticeId.toString()}::bigint, 'open', ${now.toISOString()}, ${now.toISOString()})
    on conflict (rail, provider_id) do update set state = 'open', notice_id = excluded.notice_id, attempts = 0, next_step_at = excluded.next_step_at,
      created_at = excluded.created_at where e.state in ('disagreed', 'unanswered')`);
}

export async function claimEnquiries(
  tx: Tx,
  { now, leaseMs, limit }: { now: Date; leaseMs: number; limit: number },
): Promise<readonly Enquiry[]> {
  const rows = await tx.execute<Row>(sql`
    with due as (
      select rail, provider_id from payments.enquiries where next_step_at <= ${now.toISOString()}::timestamptz
      order by next_step_at limit ${limit} for update skip locked)
    update payments.enquiries e set next_step_at = ${new Date(now.getTime() + leaseMs).toISOString()}::timestamptz, attempts = attempts + 1
    from due where e.rail = due.rail and e.provider_id = due.provider_id returning e.*`);
  return rows.map(enquiryOf);
}

/** The enquiry whose answer came to a door, locked. */
export async function lockByCorrelation(
  tx: Tx,
  { rail, correlation }: { rail: string; correlation: string },
): Promise<Enquiry | undefined> {
  const [row] = await tx.execute<Row>(sql`
    select * from payments.enquiries where rail = ${rail} and correlation = ${correlation} for update`);
  return row === undefined ? undefined : enquiryOf(row);
}

/** Writes where an enquiry stands, while it is open. */
export async function saveEnquiry(
  tx: Tx,
  {
    rail,
    providerId,
    state,
    outcome,
    nextStepAt,
  }: Pick<Enquiry, "rail" | "providerId" | "state"> & { outcome: string | undefined; nextStepAt: Date | undefined },
): Promise<void> {
  await tx.execute(sql`
    update payments.enquiries set state = ${state}, outcome = ${outcome?.slice(0, 500) ?? null}, next_step_at = ${nextStepAt?.toISOString() ?? null}::timestamptz
    where rail = ${rail} and provider_id = ${providerId} and state = 'open'`);
}
