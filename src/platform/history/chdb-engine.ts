import { createRequire } from "node:module";
import { makeTurns } from "./turns.ts";

/** The part of chdb's interface that is used here; the package is optional, so its own types cannot be counted on. */
interface ChdbSession {
  queryAsync(sql: string, options?: { format?: string }): Promise<{ bytes(): Uint8Array } & ChdbFigures>;
  queryStream(
    sql: string,
    options?: { format?: string },
  ): AsyncIterable<{ readonly numRows: number; raw(): Uint8Array }>;
  close(): void;
}
interface ChdbFigures {
  readonly elapsed: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
}
interface Chdb {
  readonly Session: new (path: string) => ChdbSession;
  drainPending(): Promise<void>;
}

/** What ran: rows and bytes as the engine counts them, and seconds. */
export interface Figures {
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** The embedded engine on its folder. Every statement runs in a session of its own, so settings never leak. */
export interface Engine {
  /** Runs preparation and statement; the answer as a whole. */
  run(statement: string, options: RunOptions): Promise<{ answer: Uint8Array; figures: Figures }>;
  /** The answer in pieces, as the engine makes them; a consumer that stops early ends the statement. */
  stream(statement: string, options: RunOptions): AsyncGenerator<Uint8Array, void, undefined>;
  /** Waits for what runs, then lets go of the folder. */
  close(): Promise<void>;
}

export interface RunOptions {
  readonly preparation: readonly string[];
  readonly format: string;
}

/** Statements at once; more only wait for each other's cores. */
const STATEMENTS_MAX = 6;
/** Waiting ones; a caller beyond that hears "too many" instead of waiting for ever. */
const WAITING_MAX = 200;

const require = createRequire(import.meta.url);

/** Whether the optional package is there; false where it was left out or has no build for this machine. */
export function isChdbInstalled(): boolean {
  try {
    require.resolve("chdb");
    return true;
  } catch {
    return false;
  }
}

/**
 * Opens the folder, which this process then owns until it ends. Throws where the package is missing, and chDB's own error
 * ("Cannot lock file") where another process holds the folder.
 */
export function openEngine(path: string): Engine {
  const { Session, drainPending } = require("chdb") as Chdb;
  const anchor = new Session(path); // keeps the engine open between requests
  const turns = makeTurns({ atOnceMax: STATEMENTS_MAX, waitingMax: WAITING_MAX });

  async function prepared(preparation: readonly string[]): Promise<ChdbSession> {
    const session = new Session(path);
    try {
      for (const statement of preparation) await session.queryAsync(statement);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  return {
    async run(statement, { preparation, format }) {
      const leave = await turns.enter();
      try {
        const session = await prepared(preparation);
        try {
          const result = await session.queryAsync(statement, { format });
          const figures = { rows: result.rowsRead, bytes: result.bytesRead, seconds: result.elapsed };
          return { answer: result.bytes(), figures };
        } finally {
          session.close();
        }
      } finally {
        leave();
      }
    },
    async *stream(statement, { preparation, format }) {
      const leave = await turns.enter();
      try {
        const session = await prepared(preparation);
        try {
          for await (const chunk of session.queryStream(statement, { format })) yield chunk.raw();
        } finally {
          session.close();
        }
      } finally {
        leave();
      }
    },
    async close() {
      anchor.close();
      await drainPending();
    },
  };
}
