import { fileURLToPath } from "node:url";
import { sql, type SQL } from "drizzle-orm";
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { makeGuardedSocket, paddedApplicationName } from "./guarded-socket.ts";

export type Db = PostgresJsDatabase;
/** An open transaction. Stores receive it first and cannot open one; nothing inside reads `db`. */
export type Tx = Parameters<Parameters<Db["transaction"]>[0]>[0];

export interface Database {
  readonly db: Db;
  readonly url: string;
  /** Runs `onNotify` for each NOTIFY on the channel, and once after every (re)connect, when one may have been missed. */
  listen(channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>>;
  /** Waits for what runs, at most five seconds, then closes every connection. */
  close(): Promise<void>;
}

export const MIGRATIONS_FOLDER = fileURLToPath(new URL("../../migrations", import.meta.url));

/**
 * Options of every connection. postgres.js never sets TCP_NODELAY, which cost 88 ms for a COPY of 500 rows; with a
 * socket of our own the same takes about one. Types are not fetched: arrays travel as text literals (see `column`).
 */
function connectionOptions(url: string): postgres.Options<Record<string, never>> {
  const { hostname, port, searchParams } = new URL(url);
  const overSocketFile = searchParams.get("host")?.startsWith("/") ?? false;
  return {
    connect_timeout: 10,
    idle_timeout: 0,
    max_lifetime: null,
    backoff: reconnectPauseSeconds,
    fetch_types: false,
    onnotice: () => undefined,
    ...(overSocketFile
      ? {}
      : {
          socket: () => makeGuardedSocket({ host: decodeURIComponent(hostname), port: Number(port || 5432) }),
        }),
  };
}

/** The driver's own pause grows to twenty seconds, shared by the pool: a database that is back must not wait that long for us. */
function reconnectPauseSeconds(failures: number): number {
  return Math.min(0.02 * 2 ** failures, RECONNECT_PAUSE_MAX_SECONDS);
}

const RECONNECT_PAUSE_MAX_SECONDS = 0.5;

/** The role the program works as: it owns nothing and may not change what is append-only. Made by the first migration. */
const APP_ROLE = "washa_app";

/** A plain postgres.js client as the login user, for migrations, benches and administration. */
export function openClient(url: string, connectionsMax: number): postgres.Sql {
  return postgres(url, {
    ...connectionOptions(url),
    max: connectionsMax,
    connection: { application_name: paddedApplicationName("washa-admin") },
  });
}

/** Opens a pool on the URL. `connectionsMax` bounds how many statements run at once. */
export function openDatabase({ url, connectionsMax = 10 }: { url: string; connectionsMax?: number }): Database {
  const client = postgres(url, {
    ...connectionOptions(url),
    max: connectionsMax,
    connection: { application_name: paddedApplicationName("washa"), role: APP_ROLE },
  });
  const db = drizzle(preparing(client));
  return {
    db,
    url,
    async listen(channel, onNotify) {
      const subscription = await client.listen(channel, onNotify, () => onNotify(""));
      return () => subscription.unlisten();
    },
    close: () => client.end({ timeout: 5 }),
  };
}

/**
 * Lets PostgreSQL keep the plan of each statement for as long as the connection lasts. Drizzle asks the driver not to; our
 * statements are few and always the same, since batches travel as arrays, and planning them anew cost a third of the
 * server's time on the money path. A statement without parameters may be several, so it goes as it is.
 */
function preparing<Client extends postgres.Sql | postgres.TransactionSql>(client: Client): Client {
  return new Proxy(client, {
    get(target, name) {
      if (name === "unsafe")
        return (query: string, parameters: never[] = [], options: object = {}) =>
          target.unsafe(query, parameters, { ...options, prepare: parameters.length > 0 });
      if (name === "begin" && "begin" in target)
        return (work: (tx: postgres.TransactionSql) => Promise<unknown>) => target.begin((tx) => work(preparing(tx)));
      if (name === "savepoint" && "savepoint" in target)
        return (work: (tx: postgres.TransactionSql) => Promise<unknown>) =>
          target.savepoint((tx) => work(preparing(tx)));
      const value: unknown = Reflect.get(target, name);
      return value;
    },
  });
}

/**
 * Brings the database to the newest migration, once, however many processes start together: a session lock makes the
 * others wait. Throws the database's own error when a migration fails; nothing of it stays.
 */
export async function migrateDatabase(url: string): Promise<void> {
  const client = openClient(url, 1);
  try {
    await client`select pg_advisory_lock(hashtext('washa.migrate'))`;
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS_FOLDER });
  } finally {
    await client.end({ timeout: 5 });
  }
}

const NEEDS_QUOTES = /[\s"\\{},]|^$|^null$/i;

function arrayElement(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (value instanceof Date) return `"${value.toISOString()}"`;
  if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value).toString("hex")}"`;
  const text = typeof value === "object" ? JSON.stringify(value) : String(value as string | number | bigint | boolean);
  return NEEDS_QUOTES.test(text) ? `"${text.replace(/[\\"]/g, "\\$&")}"` : text;
}

/**
 * One column of many rows as a single parameter, for `unnest(...)`: one statement writes a whole batch, whatever its
 * size, without reaching the protocol's limit of 65,535 parameters. Values are escaped into PostgreSQL's array literal.
 */
export function column(values: readonly unknown[], type: ColumnType): SQL {
  return sql`${`{${values.map(arrayElement).join(",")}}`}::${sql.raw(type)}[]`;
}

/** A column of `rowsTable`: its type, and where a row holds its value. */
export type ColumnSpec<Row> = readonly [ColumnType, (row: Row) => unknown];

/**
 * Rows as a table expression with named columns, for `insert … select` and joins: `from ${table} as given(${names})`. One
 * parameter a column, whatever the number of rows.
 */
export function rowsTable<Row>(
  rows: readonly Row[],
  columns: Readonly<Record<string, ColumnSpec<Row>>>,
): { readonly names: SQL; readonly table: SQL } {
  const specs = Object.entries(columns);
  return {
    names: sql.raw(specs.map(([name]) => name).join(", ")),
    table: sql`unnest(${sql.join(
      specs.map(([, [type, pick]]) => column(rows.map(pick), type)),
      sql`, `,
    )})`,
  };
}

export type ColumnType =
  | "uuid"
  | "text"
  | "bigint"
  | "integer"
  | "smallint"
  | "boolean"
  | "bytea"
  | "jsonb"
  | "timestamptz"
  | "double precision";

/** The SQLSTATE of a database error, also when a library wrapped it as a cause. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    if ("code" in current && typeof current.code === "string" && /^[0-9A-Z]{5}$/.test(current.code))
      return current.code;
  }
  return undefined;
}

/** Faults after which the same work may simply be tried again: lost connection, deadlock, serialisation, shutdown. */
export function isTransient(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined)
    return state.startsWith("08") || ["40001", "40P01", "57P01", "57P02", "57P03", "53300"].includes(state);
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    if ("code" in current && /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|EPIPE|ETIMEDOUT)/.test(String(current.code)))
      return true;
  }
  return false;
}
