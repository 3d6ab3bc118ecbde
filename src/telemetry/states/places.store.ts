import { sql } from "drizzle-orm";
import { rowsTable, type ColumnSpec, type Tx } from "../../platform/database.ts";
import type { PlaceFacts } from "./fleet-device.ts";
import { instant } from "./state-sql.ts";

export interface SyncMark {
  readonly changedThrough: Date;
  /** Taking over what was written since goes on behind this number, and began then; undefined: none is under way. */
  readonly changedAfter: number;
  readonly changedStartedAt: Date | undefined;
  readonly fullAfter: number;
  readonly fullStartedAt: Date;
}

/** Takes the bookmark of the sync; undefined while another worker has it. The first one begins at the beginning. */
export async function claimMark(tx: Tx, now: Date): Promise<SyncMark | undefined> {
  await tx.execute(sql`
    insert into telemetry.place_sync (one, changed_through, full_started_at) values (true, ${instant(now)}, ${instant(now)})
    on conflict do nothing`);
  const [row] = await tx.execute<{
    changed_through: string;
    changed_after: number;
    changed_started_at: string | null;
    full_after: number;
    full_started_at: string;
  }>(sql`
    select changed_through, changed_after, changed_started_at, full_after, full_started_at
    from telemetry.place_sync for update skip locked`);
  return row === undefined
    ? undefined
    : {
        changedThrough: new Date(row.changed_through),
        changedAfter: row.changed_after,
        changedStartedAt: row.changed_started_at === null ? undefined : new Date(row.changed_started_at),
        fullAfter: row.full_after,
        fullStartedAt: new Date(row.full_started_at),
      };
}

export async function saveMark(
  tx: Tx,
  { changedThrough, changedAfter, changedStartedAt, fullAfter, fullStartedAt }: SyncMark,
): Promise<void> {
  await tx.execute(sql`
    update telemetry.place_sync
    set changed_through = ${instant(changedThrough)}, changed_after = ${changedAfter},
      changed_started_at = ${changedStartedAt?.toISOString() ?? null}::timestamptz,
      full_after = ${fullAfter}, full_started_at = ${instant(fullStartedAt)}`);
}

const COLUMNS: Readonly<Record<string, ColumnSpec<PlaceFacts>>> = {
  device: ["integer", ({ device }) => device],
  serial: ["text", ({ serial }) => serial],
  model: ["text", ({ model }) => model],
  life: ["text", ({ life }) => life],
  in_service: ["boolean", ({ inService }) => inService],
  area: ["text", ({ area }) => area],
  place: ["text", ({ place }) => place],
  latitude: ["double precision", ({ latitude }) => latitude],
  longitude: ["double precision", ({ longitude }) => longitude],
  contract_id: ["uuid", ({ contractId }) => contractId],
  active_until: [
    "timestamptz",
    ({ activeUntil }) => (activeUntil === "forever" ? "infinity" : activeUntil?.toISOString()),
  ],
  tokens_issued: ["integer", ({ tokensIssued }) => tokensIssued],
};

/**
 * Writes the facts of devices. Where one says itself that it is counts while it is in service: what lies in a shop said so in the
 * home that it came from. Rows that say the same already are left alone. Answers how many changed.
 */
export async function savePlaces(tx: Tx, facts: readonly PlaceFacts[]): Promise<number> {
  if (facts.length === 0) return 0;
  const { names, table } = rowsTable(facts, COLUMNS);
  const written = await tx.execute(sql`
    insert into telemetry.places as p (device, serial, model, life, in_service, area, place, latitude, longitude, contract_id, active_until, tokens_issued)
    select g.device, g.serial, g.model, g.life, g.in_service, g.area, g.place,
      case when s.longitude is null or not g.in_service then g.latitude else coalesce(s.latitude, g.latitude) end,
      case when s.latitude is null or not g.in_service then g.longitude else coalesce(s.longitude, g.longitude) end,
      g.contract_id, g.active_until, g.tokens_issued
    from ${table} as g(${names}) left join telemetry.states s on s.device = g.device
    order by g.device
    on conflict (device) do update set serial = excluded.serial, model = excluded.model, life = excluded.life, in_service = excluded.in_service,
      area = excluded.area, place = excluded.place, latitude = excluded.latitude, longitude = excluded.longitude,
      contract_id = excluded.contract_id, active_until = excluded.active_until, tokens_issued = excluded.tokens_issued
    where (p.serial, p.model, p.life, p.in_service, p.area, p.place, p.latitude, p.longitude, p.contract_id, p.active_until, p.tokens_issued)
      is distinct from (excluded.serial, excluded.model, excluded.life, excluded.in_service, excluded.area, excluded.place, excluded.latitude,
        excluded.longitude, excluded.contract_id, excluded.active_until, excluded.tokens_issued)
    returning 1`);
  return written.length;
}
