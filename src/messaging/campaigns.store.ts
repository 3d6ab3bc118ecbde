import { sql, type SQL } from "drizzle-orm";
import type { Id } from "../kernel/ids.ts";
import { rowsTable, type Db, type Tx } from "../platform/database.ts";
import type { CampaignTexts } from "./campaign-text.ts";
import type { Cost } from "./costs.ts";
import type { Segment } from "./segment.ts";

export type CampaignId = Id<"Campaign">;
export type CampaignState = "draft" | "running" | "stopped" | "done";

export interface Campaign {
  readonly id: CampaignId;
  readonly name: string;
  readonly segment: Segment;
  readonly texts: CampaignTexts;
  readonly state: CampaignState;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/** Whom a campaign means. */
export interface Recipient {
  readonly customerId: string;
  readonly phone: string;
  /** The account that the text speaks of. */
  readonly contractId: string | null;
}

interface Row extends Record<string, unknown> {
  id: CampaignId;
  name: string;
  segment: Segment;
  texts: CampaignTexts;
  state: CampaignState;
  created_by: string;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
}

const dateOf = (text: string | null): Date | null => (text === null ? null : new Date(text));

function campaignOf(row: Row): Campaign {
  return {
    id: row.id,
    name: row.name,
    segment: row.segment,
    texts: row.texts,
    state: row.state,
    createdBy: row.created_by,
    createdAt: new Date(row.created_at),
    startedAt: dateOf(row.started_at),
    endedAt: dateOf(row.ended_at),
  };
}

export async function insertCampaign(tx: Tx, campaign: Campaign): Promise<void> {
  await tx.execute(sql`
    insert into messaging.campaigns (id, name, segment, texts, state, created_by, created_at)
    values (${campaign.id}::uuid, ${campaign.name}, ${JSON.stringify(campaign.segment)}::jsonb, ${JSON.stringify(campaign.texts)}::jsonb,
      ${campaign.state}, ${campaign.createdBy}, ${campaign.createdAt.toISOString()}::timestamptz)`);
}

export async function findCampaign(db: Db | Tx, id: CampaignId): Promise<Campaign | undefined> {
  const [row] = await db.execute<Row>(sql`select * from messaging.campaigns where id = ${id}::uuid`);
  return row === undefined ? undefined : campaignOf(row);
}

/** Whoever starts or stops one, and whoever sends its next batch, come one after the other. */
export async function lockCampaign(tx: Tx, id: CampaignId): Promise<Campaign | undefined> {
  const [row] = await tx.execute<Row>(sql`select * from messaging.campaigns where id = ${id}::uuid for update`);
  return row === undefined ? undefined : campaignOf(row);
}

/** Newest first. */
export async function listCampaigns(
  db: Db | Tx,
  { first, after }: { first: number; after: CampaignId | undefined },
): Promise<readonly Campaign[]> {
  const rows = await db.execute<Row>(sql`
    select * from messaging.campaigns where ${after === undefined ? sql`true` : sql`id < ${after}::uuid`} order by id desc limit ${first}`);
  return rows.map(campaignOf);
}

export async function campaignState(tx: Tx, id: string): Promise<CampaignState | undefined> {
  const [row] = await tx.execute<{ state: CampaignState }>(
    sql`select state from messaging.campaigns where id = ${id}::uuid`,
  );
  return row?.state;
}

export async function setCampaignState(
  tx: Tx,
  { id, state, at }: { id: CampaignId; state: Exclude<CampaignState, "draft">; at: Date },
): Promise<void> {
  const field = state === "running" ? sql`started_at` : sql`ended_at`;
  await tx.execute(sql`
    update messaging.campaigns set state = ${state}, ${field} = ${at.toISOString()}::timestamptz where id = ${id}::uuid`);
}

/** The running campaign after another one, unless a worker is busy with it. */
export async function lockRunning(tx: Tx, after: CampaignId | undefined): Promise<Campaign | undefined> {
  const [row] = await tx.execute<Row>(sql`
    select * from messaging.campaigns where state = 'running' and ${after === undefined ? sql`true` : sql`id > ${after}::uuid`}
    order by id limit 1 for update skip locked`);
  return row === undefined ? undefined : campaignOf(row);
}

/** Writes down everybody whom the campaign means: `people` selects customer_id, phone and contract_id. */
export async function fillRecipients(tx: Tx, id: CampaignId, people: SQL): Promise<void> {
  await tx.execute(sql`
    insert into messaging.recipients (campaign_id, customer_id, phone, contract_id)
    select ${id}::uuid, people.customer_id, people.phone, people.contract_id from (${people}) people on conflict do nothing`);
}

interface RecipientRow extends Record<string, unknown> {
  customer_id: string;
  phone: string;
  contract_id: string | null;
}

const recipientOf = (row: RecipientRow): Recipient => ({
  customerId: row.customer_id,
  phone: row.phone,
  contractId: row.contract_id,
});

/** The same people without writing them down; one more than `limit` tells that there are more. */
export async function listPeople(db: Db | Tx, people: SQL, limit: number): Promise<readonly Recipient[]> {
  return (await db.execute<RecipientRow>(sql`select * from (${people}) people limit ${limit}`)).map(recipientOf);
}

export async function nextRecipients(tx: Tx, id: CampaignId, limit: number): Promise<readonly Recipient[]> {
  const rows = await tx.execute<RecipientRow>(sql`
    select customer_id, phone, contract_id from messaging.recipients where campaign_id = ${id}::uuid and state = 'waiting'
    order by phone limit ${limit}`);
  return rows.map(recipientOf);
}

/** What became of some recipients: a message each, or the reason why there is none. */
export async function settleRecipients(
  tx: Tx,
  id: CampaignId,
  settled: readonly { readonly phone: string; readonly reason: string | undefined }[],
): Promise<void> {
  const { names, table } = rowsTable<(typeof settled)[number]>(settled, {
    phone: ["text", ({ phone }) => phone],
    reason: ["text", ({ reason }) => reason],
  });
  await tx.execute(sql`
    update messaging.recipients r set state = case when s.reason is null then 'written' else 'skipped' end, reason = s.reason
    from ${table} as s (${names}) where r.campaign_id = ${id}::uuid and r.phone = s.phone`);
}

/** How many of its messages wait for a worker; those that wait for a decent hour do not count. */
export async function countUnderWay(tx: Tx, id: CampaignId): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from messaging.messages where campaign_id = ${id}::uuid and state = 'waiting' and not is_deferred`);
  return row?.count ?? 0;
}

/** Takes back every message of a campaign that no gateway has. */
export async function refuseWaiting(tx: Tx, id: CampaignId, now: Date): Promise<void> {
  const at = sql`${now.toISOString()}::timestamptz`;
  await tx.execute(sql`
    update messaging.messages set state = 'refused', failure = 'the campaign was stopped', is_deferred = false, state_at = ${at}
    where campaign_id = ${id}::uuid and state = 'waiting' and (claimed_until is null or claimed_until <= ${at})`);
}

/** How far a campaign is, in people. Who was written to on two channels counts by the second. */
export interface CampaignProgress {
  readonly people: number;
  /** Not decided yet, or written and not with a gateway yet. */
  readonly left: number;
  readonly sent: number;
  readonly delivered: number;
  readonly failed: number;
  readonly skipped: readonly { readonly reason: string; readonly people: number }[];
  /** A line for each currency. */
  readonly cost: readonly Cost[];
}

export async function findProgress(db: Db | Tx, id: CampaignId): Promise<CampaignProgress> {
  const states = await db.execute<{ state: string; reason: string | null; people: number }>(sql`
    select state, reason, count(*)::int as people from messaging.recipients where campaign_id = ${id}::uuid group by 1, 2 order by 2`);
  const [counted] = await db.execute<{ left: number; sent: number; delivered: number; failed: number }>(sql`
    select count(*) filter (where state = 'waiting')::int as left, count(*) filter (where sent_at is not null)::int as sent,
      count(*) filter (where state in ('delivered', 'read'))::int as delivered,
      count(*) filter (where state in ('failed', 'rejected', 'refused'))::int as failed
    from messaging.messages where campaign_id = ${id}::uuid and not (channel <> 'sms' and state in ('failed', 'rejected', 'refused'))`);
  const cost = await db.execute<{ amount: string; currency: string }>(sql`
    select sum(cost)::text as amount, cost_currency as currency from messaging.messages
    where campaign_id = ${id}::uuid and cost is not null group by 2 order by 2`);
  const undecided = states.find(({ state }) => state === "waiting")?.people ?? 0;
  return {
    people: states.reduce((sum, { people }) => sum + people, 0),
    sent: counted?.sent ?? 0,
    delivered: counted?.delivered ?? 0,
    failed: counted?.failed ?? 0,
    left: undecided + (counted?.left ?? 0),
    skipped: states.flatMap(({ reason, people }) => (reason === null ? [] : [{ reason, people }])),
    cost: [...cost],
  };
}
