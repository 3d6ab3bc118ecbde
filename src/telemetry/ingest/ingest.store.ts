import type { BinaryConnection } from "../../platform/binary-connection.ts";
import { everyRow, type BinaryColumn } from "../../platform/binary-rows.ts";
import { jsonbText, plainText, withBatch, type Block } from "./block.ts";
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
  const { rows } = await connection.send(
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

/** Opens the transaction and answers its number, by which the follower to history goes. */
export async function begin(connection: BinaryConnection): Promise<number> {
  const [row] = await connection.run("begin; select pg_current_xact_id()::text as batch");
  return Number(row?.["batch"]);
}

/** What became of the transaction of this number: "committed", "aborted" or "in progress"; undefined when it is too long ago to know. */
export async function transactionStatus(connection: BinaryConnection, batch: number): Promise<string | undefined> {
  const [row] = await connection.run(`select pg_xact_status('${String(batch)}'::xid8) as status`);
  const status = row?.["status"];
  return typeof status === "string" ? status : undefined;
}

/**
 * Writes the readings. Rows that cannot be there yet are copied; the others are inserted where they are missing, which takes
 * three times as long. Throws 23505 when a row was there after all and 23514 when a partition is missing.
 */
export async function writeReadings(connection: BinaryConnection, block: Block, batch: number): Promise<void> {
  const { fresh, doubtful } = block;
  const columns = withBatch(block, batch);
  if (fresh.length > 0) await connection.copy("telemetry.readings", columns, fresh);
  if (doubtful.length === 0) return;
  await connection.send(
    `insert into telemetry.readings (${names(columns)}) select * from ${unnest(columns)} on conflict do nothing`,
    columns,
    doubtful,
  );
}

/** Moves the devices' states. Throws `StateMoved` when a row does not say any more what the group was decided by. */
export async function writeStates(connection: BinaryConnection, latests: readonly Latest[]): Promise<void> {
  const inOrder = latests.toSorted((left, right) => left.device - right.device);
  await updateStates(
    connection,
    inOrder.filter(({ before }) => before !== undefined),
  );
  await insertStates(
    connection,
    inOrder.filter(({ before }) => before === undefined),
  );
}

async function updateStates(connection: BinaryConnection, latests: readonly Latest[]): Promise<void> {
  if (latests.length === 0) return;
  const told = toldColumns(latests);
  const columns = [...keyColumns(latests), ...told];
  const { count } = await connection.send(
    `update telemetry.states s set last_seen_at = greatest(s.last_seen_at, g.last_seen_at), clock_shift_seconds = g.clock_shift_seconds
       ${told.map(({ name }) => `, ${name} = coalesce(g.${name}, s.${name})`).join("")}
     from ${unnest(columns)} as g(${names(columns)})
     where s.device = g.device and s.request_timestamp is not distinct from g.seen_request_timestamp
       and s.request_count is not distinct from g.seen_request_count and s.reading_at is not distinct from g.seen_reading_at`,
    columns,
  );
  if (count !== latests.length) throw new StateMoved();
}

async function insertStates(connection: BinaryConnection, latests: readonly Latest[]): Promise<void> {
  if (latests.length === 0) return;
  const told = toldColumns(latests);
  const columns = [...keyColumns(latests).filter(({ name }) => !name.startsWith("seen_")), ...told];
  const values = told.map(({ name }) => (name === "connection" ? "coalesce(connection, 'unknown')" : name));
  const { count } = await connection.send(
    `insert into telemetry.states (device, first_seen_at, last_seen_at, clock_shift_seconds${told.map(({ name }) => `, ${name}`).join("")})
     select device, last_seen_at, last_seen_at, clock_shift_seconds${values.map((value) => `, ${value}`).join("")}
     from ${unnest(columns)} as g(${names(columns)}) on conflict do nothing`,
    columns,
  );
  if (count !== latests.length) throw new StateMoved();
}

export async function writeEvents(connection: BinaryConnection, events: readonly PlacedEvent[]): Promise<void> {
  if (events.length === 0) return;
  const columns: BinaryColumn[] = [
    { name: "device", type: "integer", values: Float64Array.from(events, ({ device }) => device) },
    { name: "at", type: "timestamptz", values: Float64Array.from(events, ({ event }) => event.atMs) },
    { name: "kind", type: "text", values: events.map(({ event }) => plainText(event.kind)) },
    { name: "detail", type: "jsonb", values: events.map(({ event }) => jsonbText(event.detail)) },
    { name: "received_at", type: "timestamptz", values: Float64Array.from(events, (one) => one.receivedAtMs) },
  ];
  await connection.send(
    `insert into telemetry.events (${names(columns)}) select * from ${unnest(columns)} on conflict do nothing`,
    columns,
  );
}

export async function writeQuarantine(connection: BinaryConnection, set: readonly Refused[]): Promise<void> {
  if (set.length === 0) return;
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
  await connection.send(
    `insert into telemetry.quarantine (${names(columns)}) select * from ${unnest(columns)}`,
    columns,
    everyRow(set.length),
  );
}
