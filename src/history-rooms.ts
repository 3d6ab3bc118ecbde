import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Counter, Gauge, type Registry } from "prom-client";
import type { AppRole, Config } from "./config.ts";
import type { Clock } from "./kernel/time.ts";
import type { Database } from "./platform/database.ts";
import { HistoryAway, openHistory, type History, type HistoryPlace } from "./platform/history/history.ts";
import type { Log } from "./platform/log.ts";
import {
  connectLink,
  makeFollower,
  makeRollupQueries,
  makeSeriesQueries,
  type RollupQueries,
  type SeriesQueries,
} from "./telemetry/telemetry.ts";

/** What is asked of history, by whoever shows it. */
export interface HistoryRooms extends SeriesQueries, RollupQueries {
  readonly store: History;
  /** Runs the embedded engine and the follower, where this process has the role. Waits for neither. */
  start(): void;
  stop(): Promise<void>;
}

/** History is where CLICKHOUSE_URL says, or in the data folder's engine, which the process with the role `history` owns. */
export function historyPlace(config: Config, owns: boolean): HistoryPlace {
  const { clickhouseUrl: url, clickhouseCluster: cluster } = config;
  return url === undefined ? { folder: join(config.dataFolder, "history"), owns } : { url, cluster };
}

/** Whatever happens to history is told in the log and counted; nothing of it stops the program. */
export function openHistoryRooms({
  config,
  roles,
  database,
  clock,
  log,
  registry,
}: {
  config: Config;
  roles: readonly AppRole[];
  database: Database;
  clock: Clock;
  log: Log;
  registry: Registry;
}): HistoryRooms {
  const hasRole = roles.includes("history");
  const store = openHistory(historyPlace(config, hasRole), {
    onFault: ({ reason, message }) => log.warn({ reason, detail: message }, new HistoryAway(reason).message),
  });
  const registers = [registry];
  const copied = new Counter({ name: "washa_history_readings_total", help: "Readings copied to history.", registers });
  new Gauge({
    name: "washa_history_up",
    help: "1 while history can be asked.",
    registers,
    collect() {
      this.set(store.absence() === undefined ? 1 : 0);
    },
  });
  let told: string | undefined;
  const tellOnce = (text: string, tell: () => void): void => {
    if (told !== text) tell();
    told = text;
  };
  const follower = makeFollower({
    connect: () => connectLink(database.url),
    history: store,
    clock,
    makeToken: randomUUID,
    onMoved: (rows) => {
      told = undefined;
      copied.inc(rows);
    },
    onFault(error) {
      // Each start begins so; an engine that does not come up is told as crashed or broken.
      if (error instanceof HistoryAway && error.absence === "starting") return;
      tellOnce(String(error), () => log.warn({ error }, "Readings wait for history; PostgreSQL keeps them."));
    },
    onRefused: (refusal) => tellOnce(refusal.message, () => log.error({ code: refusal.code }, refusal.message)),
  });
  return {
    store,
    ...makeSeriesQueries({ db: database.db, history: store }),
    ...makeRollupQueries({ history: store }),
    start() {
      if (!hasRole) return;
      store.start();
      follower.start();
    },
    async stop() {
      await follower.stop();
      await store.close();
    },
  };
}
