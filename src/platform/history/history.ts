import { ClickHouseLogLevel, createClient, type ClickHouseClient } from "@clickhouse/client";
import { Refusal } from "../../kernel/refusal.ts";
import {
  findFront,
  superviseEngine,
  type Absence,
  type EngineSupervisor,
  type Front,
  type RestartPauses,
} from "./supervisor.ts";
import type { Topology } from "./topology.ts";

/** Long history and analytics: ClickHouse, embedded or a server, always through the same client. */
export interface History {
  /** Starts the embedded engine where this process owns it. Nothing runs before; safe to call twice. */
  start(): void;
  /**
   * Runs the work with the client. Throws HistoryAway when the engine cannot be reached, whatever the work threw otherwise;
   * ClickHouse's own refusals are ClickHouseError.
   */
  use<Result>(work: (client: ClickHouseClient) => Promise<Result>): Promise<Result>;
  readonly topology: Topology;
  /** Undefined while it can be asked; otherwise why not. */
  absence(): Absence | undefined;
  /** Resolves when it can be asked, or it is known that it cannot for now. Never rejects. */
  settled(): Promise<void>;
  /** Of the embedded engine's process, where this process owns it. */
  engineProcessId(): number | undefined;
  close(): Promise<void>;
}

/** History cannot be asked now; the doors and PostgreSQL work on. */
export class HistoryAway extends Refusal {
  readonly code = "HISTORY_AWAY";
  readonly absence: Absence;
  constructor(absence: Absence, cause?: unknown) {
    super(WORDS[absence]);
    this.absence = absence;
    this.cause = cause;
  }
}

const WORDS: Readonly<Record<Absence, string>> = {
  starting: "History is away: its engine is starting. Try again in a moment.",
  crashed: "History is away: it does not answer. It is tried again by itself; newer readings are not affected.",
  missing:
    "History is away: its embedded engine is not installed. Run npm install (with optional packages), or set CLICKHOUSE_URL.",
  in_use:
    "History is away: another process owns its folder. Stop that one, choose another folder with WASHA_DATA, or leave out the role history here.",
  broken: "History is away: its engine does not start. The log says why.",
  stopped: "History is away: no process with the role history runs here, and CLICKHOUSE_URL is not set.",
};

/** Long enough for a large insert or export; queries bound themselves. */
const REQUEST_TIMEOUT_MS = 600_000;
const DATABASE = "washa";

export type HistoryPlace =
  /** A ClickHouse server or cluster. */
  | { readonly url: string; readonly cluster?: string | undefined }
  /** The embedded engine. With `owns`, this process runs it; otherwise it looks for one that does. */
  | { readonly folder: string; readonly owns: boolean; readonly pauses?: RestartPauses };

/** Makes the face of history; nothing here fails because the engine is away. */
export function openHistory(
  place: HistoryPlace,
  { onFault }: { onFault?: (fault: { readonly reason: Absence; readonly message: string }) => void } = {},
): History {
  let supervisor: EngineSupervisor | undefined;
  const find = (): Front | Absence => stateOf(place, supervisor);
  const clients = new Map<string, ClickHouseClient>();
  const clientOf = (front: Front): ClickHouseClient => {
    const key = `${front.url} ${front.password}`;
    const known = clients.get(key);
    if (known !== undefined) return known;
    const made = createClient({
      // Statements name their database themselves, so that the first of them may create it.
      url: withoutDatabase(front.url),
      ...(front.password === "" ? {} : { username: "default", password: front.password }),
      application: "washa",
      request_timeout: REQUEST_TIMEOUT_MS,
      max_open_connections: 10,
      log: { level: ClickHouseLogLevel.OFF }, // what it would log, it also throws
    });
    clients.set(key, made);
    return made;
  };
  return {
    start() {
      if ("folder" in place && place.owns)
        supervisor ??= superviseEngine({
          folder: place.folder,
          pauses: place.pauses,
          ...(onFault === undefined ? {} : { onFault }),
        });
    },
    topology: {
      cluster: "url" in place ? place.cluster : undefined,
      database: ("url" in place ? databaseIn(place.url) : undefined) ?? DATABASE,
    },
    absence: () => {
      const found = find();
      return typeof found === "string" ? found : undefined;
    },
    settled: () => supervisor?.settled() ?? Promise.resolve(),
    engineProcessId: () => supervisor?.processId(),
    async use(work) {
      const found = find();
      if (typeof found === "string") throw new HistoryAway(found);
      try {
        return await work(clientOf(found));
      } catch (error) {
        if (isUnreachable(error)) throw new HistoryAway("crashed", error);
        throw error;
      }
    },
    async close() {
      await supervisor?.stop();
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}

function stateOf(place: HistoryPlace, supervisor: EngineSupervisor | undefined): Front | Absence {
  if ("url" in place) return { url: place.url, password: "" }; // its URL holds user and password
  if (supervisor !== undefined) return supervisor.state();
  return (place.owns ? undefined : findFront(place.folder)) ?? "stopped";
}

function databaseIn(url: string): string | undefined {
  const name = new URL(url).pathname.replace(/^\/|\/$/g, "");
  return name === "" ? undefined : decodeURIComponent(name);
}

function withoutDatabase(url: string): string {
  const bare = new URL(url);
  bare.pathname = "/";
  return bare.toString();
}

/** Faults of the way to the engine; what the engine itself answered is not among them. */
function isUnreachable(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if ("code" in cause && /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|UND_ERR)/.test(String(cause.code)))
      return true;
    if (/socket hang up|^aborted$|timeout error/i.test(cause.message)) return true;
  }
  return false;
}
