import type { Answer, BinaryConnection, Statement } from "../../platform/binary-connection.ts";
import type { BinaryColumn } from "../../platform/binary-rows.ts";
import { jsonbText, plainText, type Block } from "./block.ts";
import type { PlacedEvent, Refused } from "./group.ts";
import { keyColumns, toldColumns, type Latest } from "./latest.ts";
import type { Known } from "./placing.ts";

/** Bytes of a refused frame that are kept; more than any frame that a device sends by mistake. */
const QUARANTINED_BYTES_MAX = 65_536;
const DAY_MS = 86_400_000;

/** Another gateway wrote of one of these devices between our look and our commit. */
export class StateMoved extends Error {
  constructor() {
    super("Another process wrote about these devices at the same time.");
    this.name = "StateMoved";
  }
}

const names = (columns: readonly BinaryColumn[]): string => columns.map(({ name }) => name).join(", ");
/** `unnest($1::type[], …)`: one parameter a column, whatever the number of rows. */
const unnest = (columns: readonly BinaryColumn[]): string =>
  `unnest(${columns.map(({ type }, at) => `$${String(at + 1)}::${type}[]`).join(", ")})`;

/** What the states of these devices say; those never heard before are missing. */
export async function findKnown(
  connection: BinaryConnection,
  devices: readonly number[],
): Promise<ReadonlyMap<number, Known>> {
  if (devices.length === 0) return new Map();
  const rows = await connection.ask(
    `select device, request_timestamp::float8 as request_timestamp, request_count::float8 as request_count, clock_shift_seconds,
       date_part('epoch', reading_at) * 1000 as reading_at_ms
     from telemetry.states where device = any($1::integer[])`,
    [{ name: "device", type: "integer", values: Float64Array.from(devices) }],
  );
  return new Map(
    (rows as unknown as KnownRow[]).map((row) => [
      row.device,
      {
        requestTimestamp: row.request_timestamp ?? undefined,
        requestCount: row.request_count ?? undefined,
        shiftSeconds: row.clock_shift_seconds,
        readingAtMs: row.reading_at_ms ?? undefined,
      },
    ]),
  );
}

interface KnownRow {
  readonly device: number;
  readonly request_timestamp: number | null;
  readonly request_count: number | null;
  readonly clock_shift_seconds: number;
  readonly reading_at_ms: number | null;
}

/** Makes the partitions of these days (whole days since 1970) where they are missing; outside of any transaction. */
export async function ensureDays(connection: BinaryConnection, days: Iterable<number>): Promise<void> {
  for (const day of days) {
    const on = new Date(day * DAY_MS).toISOString().slice(0, 10);
    await connection.run(`select telemetry.ensure_days('${on}', '${on}')`);
  }
}

/** What became of the transaction of this number: "committed", "aborted" or "in progress"; undefined when it is too long ago to know. */
export async function transactionStatus(connection: BinaryConnection, batch: number): Promise<string | undefined> {
  const [row] = await connection.run(`select pg_xact_status('${String(batch)}'::xid8) as status`);
  const status = row?.["status"];
  return typeof status === "string" ? status : undefined;
}

/** What one group writes. */
export interface Writing {
  readonly block: Block;
  readonly latests: readonly Latest[];
  readonly events: readonly PlacedEvent[];
  readonly quarantined: readonly Refused[];
}

/** One statement, and by how many rows it has to move what the group was decided by. */
interface Write {
  readonly statement: Statement;
  readonly moves?: number;
}

/**
 * Opens a transaction, writes everything in it and answers its number, by which the follower to history goes; the commit is the
 * caller's. Throws 23505 when a row was there after all, 23514 when a partition is missing, and `StateMoved` when a device's
 * row does not say any more what the group was decided by.
 */
export async function write(
  connection: BinaryConnection,
  { block, latests, events, quarantined }: Writing,
): Promise<number> {
  const inOrder = latests.toSorted((left, right) => left.device - right.device);
  const writes: readonly Write[] = [
    { statement: { text: "begin" } },
    { statement: { text: "select txid_current()" } },
    ...readingsOf(block),
    ...updatesOf(inOrder.filter(({ before }) => before !== undefined)),
    ...insertsOf(inOrder.filter(({ before }) => before === undefined)),
    ...eventsOf(events),
    ...quarantineOf(quarantined),
  ];
  const answers = await connection.send(writes.map(({ statement }) => statement));
  const isMoved = ({ moves }: Write, { count }: Answer): boolean => moves !== undefined && moves !== count;
  if (answers.some((answer, at) => isMoved(writes[at] as Write, answer))) throw new StateMoved();
  return Number(answers[1]?.value);
}

/** Rows that cannot be there yet are copied; the others are inserted where they are missing, which takes three times as long. */
function readingsOf({ columns, fresh, doubtful }: Block): Write[] {
  const text = `insert into telemetry.readings (${names(columns)}) select * from ${unnest(columns)} on conflict do nothing`;
  return [
    ...(fresh.length > 0 ? [{ statement: { copyTo: "telemetry.readings", columns, order: fresh } }] : []),
    ...(doubtful.length > 0 ? [{ statement: { text, columns, order: doubtful } }] : []),
  ];
}

function updatesOf(latests: readonly Latest[]): Write[] {
  if (latests.length === 0) return [];
  const told = toldColumns(latests);
  const columns = [...keyColumns(latests), ...told];
  const text = `update telemetry.states s set last_seen_at = greatest(s.last_seen_at, g.last_seen_at), clock_shift_seconds = g.clock_shift_seconds
       ${told.map(({ name }) => `, ${name} = coalesce(g.${name}, s.${name})`).join("")}
     from ${unnest(columns)} as g(${names(columns)})
     where s.device = g.device and s.request_timestamp is not distinct from g.seen_request_timestamp
       and s.request_count is not distinct from g.seen_request_count and s.reading_at is not distinct from g.seen_reading_at`;
  return [{ statement: { text, columns }, moves: latests.length }];
}

function insertsOf(latests: readonly Latest[]): Write[] {
  if (latests.length === 0) return [];
  const told = toldColumns(latests);
  const columns = [...keyColumns(latests).filter(({ name }) => !name.startsWith("seen_")), ...told];
  const values = told.map(({ name }) => (name === "connection" ? "coalesce(connection, 'unknown')" : name));
  const text = `insert into telemetry.states (device, first_seen_at, last_seen_at, clock_shift_seconds${told.map(({ name }) => `, ${name}`).join("")})
     select device, last_seen_at, last_seen_at, clock_shift_seconds${values.map((value) => `, ${value}`).join("")}
     from ${unnest(columns)} as g(${names(columns)}) on conflict do nothing`;
  return [{ statement: { text, columns }, moves: latests.length }];
}

function eventsOf(events: readonly PlacedEvent[]): Write[] {
  if (events.length === 0) return [];
  const columns: BinaryColumn[] = [
    { name: "device", type: "integer", values: Float64Array.from(events, ({ device }) => device) },
    { name: "at", type: "timestamptz", values: Float64Array.from(events, ({ event }) => event.atMs) },
    { name: "kind", type: "text", values: events.map(({ event }) => plainText(event.kind)) },
    { name: "detail", type: "jsonb", values: events.map(({ event }) => jsonbText(event.detail)) },
    { name: "received_at", type: "timestamptz", values: Float64Array.from(events, (one) => one.receivedAtMs) },
  ];
  const text = `insert into telemetry.events (${names(columns)}) select * from ${unnest(columns)} on conflict do nothing`;
  return [{ statement: { text, columns } }];
}

function quarantineOf(set: readonly Refused[]): Write[] {
  if (set.length === 0) return [];
  const columns: BinaryColumn[] = [
    {
      name: "serial",
      type: "text",
      values: set.map(({ refusal: { serial } }) => (serial === undefined ? undefined : plainText(serial))),
    },
    { name: "topic", type: "text", values: set.map(({ message }) => plainText(message.raw.topic)) },
    { name: "reason", type: "text", values: set.map(({ refusal }) => refusal.reason) },
    { name: "detail", type: "text", values: set.map(({ refusal }) => plainText(refusal.detail)) },
    { name: "source", type: "text", values: set.map(({ message }) => plainText(message.source)) },
    {
      name: "bytes",
      type: "integer",
      values: Float64Array.from(set, ({ message: { raw } }) => raw.sentBytes ?? raw.payload.length),
    },
    {
      name: "raw",
      type: "bytea",
      values: set.map(({ message }) => message.raw.payload.subarray(0, QUARANTINED_BYTES_MAX)),
    },
    {
      name: "received_at",
      type: "timestamptz",
      values: Float64Array.from(set, ({ message }) => message.raw.receivedAtMs),
    },
  ];
  const text = `insert into telemetry.quarantine (${names(columns)}) select * from ${unnest(columns)}`;
  return [{ statement: { text, columns } }];
}
