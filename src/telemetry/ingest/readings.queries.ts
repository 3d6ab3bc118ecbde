import { sql } from "drizzle-orm";
import type { Db, Tx } from "../../platform/database.ts";
import type { FrameRefusal, Quantity } from "../frames/frame.ts";
import { QUANTITY_COLUMNS } from "./block.ts";

/** A reading as it is kept. Quantities that the device did not tell are null. */
export type StoredReading = {
  readonly at: Date;
  readonly extra: Readonly<Record<string, string | number | boolean>> | null;
} & { readonly [Name in Quantity]: number | null };

export interface StoredEvent {
  readonly id: string;
  readonly deviceNumber: number;
  readonly at: Date;
  readonly kind: string;
  readonly detail: Readonly<Record<string, string | number | boolean>>;
  readonly receivedAt: Date;
}

export interface QuarantinedFrame {
  readonly id: string;
  readonly serial: string | null;
  readonly topic: string;
  readonly reason: FrameRefusal["reason"];
  readonly detail: string;
  readonly source: string;
  /** How many came; of a larger frame the first 64 KB are kept. */
  readonly bytes: number;
  readonly receivedAt: Date;
}

export interface Readings {
  /**
   * Of one device from `from` up to before `to`, oldest first, those after the cursor. Only what PostgreSQL still holds; the days before are
   * history's.
   */
  readingsOf(query: {
    deviceNumber: number;
    from: Date;
    to: Date;
    first: number;
    after?: Date | undefined;
  }): Promise<readonly StoredReading[]>;
  /** Of one device, or of all, oldest first. */
  readingsBetween(query: {
    deviceNumber?: number | undefined;
    from: Date;
    to: Date;
    limit: number;
  }): Promise<readonly (StoredReading & { readonly deviceNumber: number })[]>;
  /** Of one device, or of all, the newest first. `before` is the id of the last one seen. */
  eventsOf(query: {
    deviceNumber?: number | undefined;
    first: number;
    before?: string | undefined;
  }): Promise<readonly StoredEvent[]>;
  /** Frames that were set aside, the newest first. `before` is the id of the last one seen. */
  quarantine(query: {
    serial?: string | undefined;
    reason?: FrameRefusal["reason"] | undefined;
    first: number;
    before?: string | undefined;
  }): Promise<readonly QuarantinedFrame[]>;
  /** The kept bytes of one of them. */
  quarantinedBytes(id: string): Promise<Uint8Array | undefined>;
  /** Lets a device count anew whose clock or counter was set back: its next signed frame is fresh, whatever it counts. */
  resetReplayGuard(tx: Tx, deviceNumber: number): Promise<boolean>;
}

const PAGE_MAX = 5_000;
const COLUMNS = sql.raw(
  QUANTITY_COLUMNS.map(({ name, type }) => (type === "bigint" ? `${name}::float8` : name)).join(", "),
);

/** What may be asked of recent telemetry, from PostgreSQL alone. */
export function makeReadings({ db }: { db: Db }): Readings {
  return {
    async readingsOf({ deviceNumber, from, to, first, after }) {
      const start = after === undefined ? sql`at >= ${instant(from)}` : sql`at > ${instant(after)}`;
      const rows = await db.execute<ReadingRow>(sql`
        select at, ${COLUMNS}, extra from telemetry.readings
        where device = ${deviceNumber} and ${start} and at >= ${instant(from)} and at < ${instant(to)}
        order by at limit ${Math.min(first, PAGE_MAX)}`);
      return rows.map(readingOf);
    },
    async readingsBetween({ deviceNumber, from, to, limit }) {
      const ofDevice = deviceNumber === undefined ? sql`true` : sql`device = ${deviceNumber}`;
      const rows = await db.execute<ReadingRow & { device: number }>(sql`
        select at, device, ${COLUMNS}, extra from telemetry.readings
        where at >= ${instant(from)} and at < ${instant(to)} and ${ofDevice} order by at, device limit ${limit}`);
      return rows.map((row) => ({ ...readingOf(row), deviceNumber: row.device }));
    },
    // The text of an id is named id too, and sorting by that would put 9 before 10.
    async eventsOf({ deviceNumber, first, before }) {
      const rows = await db.execute<EventRow>(sql`
        select id::text, device, at, kind, detail, received_at from telemetry.events e
        where ${deviceNumber === undefined ? sql`true` : sql`device = ${deviceNumber}`}
          and ${before === undefined ? sql`true` : sql`id < ${before}::bigint`}
        order by e.id desc limit ${Math.min(first, PAGE_MAX)}`);
      return rows.map(({ device, at, received_at: receivedAt, ...row }) => ({
        ...row,
        deviceNumber: device,
        at: new Date(at),
        receivedAt: new Date(receivedAt),
      }));
    },
    async quarantine({ serial, reason, first, before }) {
      const rows = await db.execute<QuarantineRow>(sql`
        select id::text, serial, topic, reason, detail, source, bytes, received_at from telemetry.quarantine q
        where (${serial ?? null}::text is null or serial = ${serial ?? null})
          and (${reason ?? null}::text is null or reason = ${reason ?? null})
          and (${before ?? null}::bigint is null or id < ${before ?? null}::bigint)
        order by q.id desc limit ${Math.min(first, PAGE_MAX)}`);
      return rows.map(({ received_at: receivedAt, ...row }) => ({ ...row, receivedAt: new Date(receivedAt) }));
    },
    async quarantinedBytes(id) {
      const [row] = await db.execute<{ raw: Uint8Array }>(sql`
        select raw from telemetry.quarantine where id = ${id}::bigint`);
      return row?.raw;
    },
    async resetReplayGuard(tx, deviceNumber) {
      const rows = await tx.execute(sql`
        update telemetry.states set request_timestamp = null, request_count = null where device = ${deviceNumber} returning device`);
      return rows.length > 0;
    },
  };
}

interface ReadingRow extends Record<string, unknown> {
  at: string;
  extra: StoredReading["extra"];
}
interface EventRow extends Record<string, unknown> {
  id: string;
  device: number;
  at: string;
  kind: string;
  detail: StoredEvent["detail"];
  received_at: string;
}
interface QuarantineRow extends Record<string, unknown> {
  id: string;
  serial: string | null;
  topic: string;
  reason: FrameRefusal["reason"];
  detail: string;
  source: string;
  bytes: number;
  received_at: string;
}

function readingOf(row: ReadingRow): StoredReading {
  const quantities = Object.fromEntries(
    QUANTITY_COLUMNS.map(({ quantity, name }) => [quantity, row[name] ?? null]),
  ) as Record<Quantity, number | null>;
  return { at: new Date(row.at), extra: row.extra, ...quantities };
}

const instant = (at: Date) => sql`${at.toISOString()}::timestamptz`;
