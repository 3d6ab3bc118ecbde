import { Socket } from "node:net";
import { Client, type Submittable } from "pg";
import { encodeArray, encodeCopy, everyRow, type BinaryColumn } from "./binary-rows.ts";

/** One connection that sends its batches in binary form, which postgres.js cannot. One of these at a time. */
export interface BinaryConnection {
  /** A statement without parameters, or several. The rows are those of the last that gives any. */
  run(statement: string): Promise<readonly Record<string, unknown>[]>;
  /** A statement whose parameters are columns, in their order; prepared once. Answers its rows. */
  ask(statement: string, columns: readonly BinaryColumn[]): Promise<readonly Record<string, unknown>[]>;
  /**
   * Sends all statements at once and answers for each when the last is done: however many they are, the server is woken once and its
   * answers are waited for once. Behind one that fails none is run, and its error is the one that rejects.
   */
  send(statements: readonly Statement[]): Promise<readonly Answer[]>;
  /** False once it broke; what ran on it has rejected. */
  isOpen(): boolean;
  close(): Promise<void>;
}

/** A statement of several; each text is prepared once. */
export type Statement =
  | { readonly text: string }
  /** Its parameters are columns, in their order. */
  | { readonly text: string; readonly columns: readonly BinaryColumn[]; readonly order?: Uint32Array }
  /** Rows for a table's columns of the same names. */
  | { readonly copyTo: string; readonly columns: readonly BinaryColumn[]; readonly order: Uint32Array };

export interface Answer {
  /** Rows that it touched. */
  readonly count: number;
  /** The first field of its last row. */
  readonly value: string | undefined;
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
  const asked = makeNames("asked");
  const sent = makeNames("sent");
  return {
    async run(statement) {
      const result: unknown = await inTime(client.query(statement));
      const results = (Array.isArray(result) ? result : [result]) as { rows?: Record<string, unknown>[] }[];
      return results.findLast(({ rows }) => rows !== undefined && rows.length > 0)?.rows ?? [];
    },
    async ask(text, columns) {
      const order = everyRow(columns[0]?.values.length ?? 0);
      const values = columns.map((column) => encodeArray(column, order));
      const name = asked.nameOf(text);
      const { rows } = await inTime(
        client.query<Record<string, unknown>>(name === "" ? { text, values } : { name, text, values }),
      );
      return rows;
    },
    send: (statements) => inTime(sendAll(client, statements.map(encode), sent)),
    isOpen: () => isOpen,
    async close() {
      isOpen = false;
      await client.end();
    },
  };
}

/** Names of prepared statements. */
interface Names {
  /** "" for one that is not kept. */
  nameOf(text: string): string;
  /** Whether the server is known to have it under its name. */
  readonly prepared: Set<string>;
}

function makeNames(prefix: string): Names {
  const names = new Map<string, string>();
  return {
    nameOf(text) {
      const known = names.get(text);
      if (known !== undefined || names.size >= STATEMENTS_MAX) return known ?? "";
      const name = `${prefix}_${String(names.size)}`;
      names.set(text, name);
      return name;
    },
    prepared: new Set(),
  };
}

interface Encoded {
  readonly text: string;
  readonly values: readonly Buffer[];
  readonly copied: Buffer | undefined;
}

function encode(statement: Statement): Encoded {
  if ("copyTo" in statement) {
    const { copyTo, columns, order } = statement;
    const text = `copy ${copyTo} (${columns.map(({ name }) => name).join(", ")}) from stdin (format binary)`;
    return { text, values: [], copied: encodeCopy(columns, order) };
  }
  if (!("columns" in statement)) return { text: statement.text, values: [], copied: undefined };
  const { text, columns, order = everyRow(columns[0]?.values.length ?? 0) } = statement;
  return { text, values: columns.map((column) => encodeArray(column, order)), copied: undefined };
}

/**
 * What `pg` calls while a statement of another's making runs. Its own statements are sent one by one, and its pipeline would take no
 * COPY and answer each by itself; but it hands a statement everything that several need.
 */
interface Flight {
  submit(connection: FlightConnection): void;
  handleRowDescription(): void;
  handleDataRow(row: { readonly fields: readonly (string | null)[] }): void;
  handleCopyInResponse(): void;
  handleCommandComplete(command: { readonly text: string }): void;
  handleError(error: Error): void;
  handleReadyForQuery(): void;
}
interface FlightConnection {
  readonly stream: { cork(): void; uncork(): void };
  close(of: { type: "S"; name: string }): void;
  parse(statement: { name: string; text: string }): void;
  bind(to: { statement: string; values: readonly Buffer[] }): void;
  execute(portal: { rows?: number }): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sync(): void;
}

/** The last word of "UPDATE 12", "INSERT 0 12", "COPY 12". */
const COUNT = /\d+$/;

function sendAll(client: Client, statements: readonly Encoded[], { nameOf, prepared }: Names): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const answers: Answer[] = [];
    let value: string | undefined;
    let failure: Error | undefined;
    function put(connection: FlightConnection, { text, values, copied }: Encoded): void {
      const name = nameOf(text);
      if (!prepared.has(name)) {
        // It may be there from a time when it was prepared and then failed; closing what is not there is no error.
        if (name !== "") connection.close({ type: "S", name });
        connection.parse({ name, text });
      }
      connection.bind({ statement: name, values });
      connection.execute({});
      if (copied === undefined) return;
      connection.sendCopyFromChunk(copied);
      connection.endCopyFrom();
    }
    const flight: Flight = {
      submit(connection) {
        connection.stream.cork();
        for (const statement of statements) put(connection, statement);
        connection.sync();
        connection.stream.uncork();
      },
      handleRowDescription: () => undefined,
      handleDataRow({ fields }) {
        value = fields[0] ?? undefined;
      },
      // The rows were sent with it.
      handleCopyInResponse: () => undefined,
      handleCommandComplete({ text }) {
        const name = nameOf(statements[answers.length]?.text ?? "");
        if (name !== "") prepared.add(name);
        answers.push({ count: Number(COUNT.exec(text)?.[0] ?? 0), value });
        value = undefined;
      },
      handleError(error) {
        failure = error;
        reject(error);
      },
      handleReadyForQuery() {
        if (failure === undefined) resolve(answers);
      },
    };
    client.query(flight as unknown as Submittable);
  });
}
