import { Socket } from "node:net";
import { Client, type Submittable } from "pg";
import { encodeArray, encodeCopy, everyRow, type BinaryColumn } from "./binary-rows.ts";

/** One connection that sends its batches in binary form, which postgres.js cannot. One statement at a time. */
export interface BinaryConnection {
  /** A statement without parameters, or several. The rows are those of the last that gives any. */
  run(statement: string): Promise<readonly Record<string, unknown>[]>;
  /** A statement whose parameters are columns, in their order; prepared once. Answers its rows and how many it touched. */
  send(
    statement: string,
    columns: readonly BinaryColumn[],
    order?: Uint32Array,
  ): Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly count: number }>;
  /** Copies rows into a table's columns of the same names. */
  copy(table: string, columns: readonly BinaryColumn[], order: Uint32Array): Promise<void>;
  /** False once it broke; what ran on it has rejected. */
  isOpen(): boolean;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Longer than any batch takes; a server that is silent for so long is gone, though nothing ever said so. */
const STATEMENT_TIMEOUT_MS = 60_000;
const KEEPALIVE_DELAY_MS = 10_000;
/** Plans kept by name; a batch has few shapes, and a device's odd one must not fill the server's memory. */
const STATEMENTS_MAX = 200;

/** Opens a connection of its own as the role that the program works as. Rejects when the database is away. */
export async function openBinaryConnection(url: string): Promise<BinaryConnection> {
  const socket = new Socket();
  const client = new Client({
    connectionString: url,
    stream: () => socket,
    application_name: "washa-ingest",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
  });
  /** pg's own timeout leaves the socket in use, and the statement behind it would read the answer to this one. */
  async function inTime<Result>(answer: Promise<Result>): Promise<Result> {
    const timer = setTimeout(() => {
      socket.destroy(new Error(`PostgreSQL did not answer for ${String(STATEMENT_TIMEOUT_MS / 1000)} s.`));
    }, STATEMENT_TIMEOUT_MS);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  let isOpen = true;
  // Without a listener a broken connection would end the process; whoever waits for a statement hears of it by its promise.
  client.on("error", () => {
    isOpen = false;
  });
  client.on("end", () => {
    isOpen = false;
  });
  await client.connect();
  try {
    await client.query("set role washa_app");
  } catch (error) {
    await client.end();
    throw error;
  }
  const names = new Map<string, string>();
  const nameOf = (statement: string): string | undefined => {
    const known = names.get(statement);
    if (known !== undefined || names.size >= STATEMENTS_MAX) return known;
    const name = `batch_${String(names.size)}`;
    names.set(statement, name);
    return name;
  };
  return {
    async run(statement) {
      const result: unknown = await inTime(client.query(statement));
      const results = (Array.isArray(result) ? result : [result]) as { rows?: Record<string, unknown>[] }[];
      return results.findLast(({ rows }) => rows !== undefined && rows.length > 0)?.rows ?? [];
    },
    async send(text, columns, order = everyRow(columns[0]?.values.length ?? 0)) {
      const values = columns.map((column) => encodeArray(column, order));
      const name = nameOf(text);
      const { rows, rowCount } = await inTime(
        client.query<Record<string, unknown>>(name === undefined ? { text, values } : { name, text, values }),
      );
      return { rows, count: rowCount ?? 0 };
    },
    copy(table, columns, order) {
      const names = columns.map(({ name }) => name).join(", ");
      return inTime(copyIn(client, `copy ${table} (${names}) from stdin (format binary)`, encodeCopy(columns, order)));
    },
    isOpen: () => isOpen,
    async close() {
      isOpen = false;
      await client.end();
    },
  };
}

/** What `pg` calls while COPY runs. It has no COPY of its own, but hands a statement everything that one needs. */
interface CopyStatement {
  submit(connection: CopyConnection): void;
  handleCopyInResponse(connection: CopyConnection): void;
  handleCommandComplete(): void;
  handleError(error: Error): void;
  handleReadyForQuery(): void;
}
interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

function copyIn(client: Client, text: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    const statement: CopyStatement = {
      submit(connection) {
        connection.query(text);
      },
      handleCopyInResponse(connection) {
        connection.sendCopyFromChunk(bytes);
        connection.endCopyFrom();
      },
      handleCommandComplete: () => undefined,
      handleError(error) {
        failure = error;
        reject(error);
      },
      handleReadyForQuery() {
        if (failure === undefined) resolve();
      },
    };
    client.query(statement as unknown as Submittable);
  });
}
