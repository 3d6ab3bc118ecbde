import { buildApp, type App } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import type { Clock } from "../../src/kernel/time.ts";
import { openClient } from "../../src/platform/database.ts";

/** The first instant of the simulated day. */
export const DAY_FROM = new Date("2026-11-20T03:00:00Z");

/** The environment of the program, with a key and secrets that protect nothing. */
export function programEnvironment({
  databaseUrl,
  port,
  railsFile,
}: {
  databaseUrl: string;
  port: number;
  railsFile?: string;
}): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    WASHA_HTTP_PORT: String(port),
    WASHA_MQTT_PORT: "0",
    WASHA_KEY: "11".repeat(32),
    WASHA_SMS_SECRET: "sms0123456789abcdef",
    WASHA_SMS_USERNAME: "test",
    WASHA_SMS_KEY: "test",
    WASHA_SMS_URL: "http://127.0.0.1:9",
    WASHA_LOG: "silent",
    WASHA_DB_CONNECTIONS: "6",
    ...(railsFile === undefined ? {} : { WASHA_RAILS: railsFile }),
  };
}

/** The real program on a database, with a clock that only the run moves. Its loops run when the run says so. */
export interface Program {
  /** Undefined while nobody runs it. */
  readonly app: App | undefined;
  /** Where its doors are, or were last. */
  readonly url: string;
  start(): Promise<void>;
  /** Settles and asks what is due. */
  work(): Promise<void>;
  /** Ends it in the middle of its work, as if the machine had lost its power `afterMs` (of real time) into it. */
  crash(afterMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** Providers answer at once here, so whatever takes longer never comes. */
const ANSWER_WITHIN_MS = 150;

export function makeProgram({
  databaseUrl,
  superuserUrl,
  railsFile,
  clock,
}: {
  databaseUrl: string;
  superuserUrl: string;
  railsFile: () => string;
  clock: Clock;
}): Program {
  let app: App | undefined;
  let port = 0;

  async function start(): Promise<void> {
    try {
      app = await open(port);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
      // Somebody took the port meanwhile: what is sent to the old address is lost, as it may be.
      app = await open(0);
    }
    port = app.ports.http ?? 0;
  }

  async function open(at: number): Promise<App> {
    const config = parseConfig(programEnvironment({ databaseUrl, port: at, railsFile: railsFile() }));
    const outbound = {
      timeoutMs: ANSWER_WITHIN_MS,
      pauses: { firstMs: 2, longestMs: 10 },
      breaker: { pauseMs: 50 },
    };
    const built = await buildApp({ config, roles: ["api"], clock, outbound });
    try {
      await built.start();
      return built;
    } catch (error) {
      await built.stop();
      throw error;
    }
  }

  function required(): App {
    if (app === undefined) throw new Error("The program does not run.");
    return app;
  }

  return {
    get app() {
      return app;
    },
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    start,
    async work() {
      const { settleLoop, requestLoop } = required();
      await settleLoop.settleAll();
      await requestLoop.runDue();
    },
    async crash(afterMs) {
      const dying = required();
      const loops = Promise.allSettled([dying.requestLoop.runDue(), dying.settleLoop.settleAll()]);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      app = undefined;
      // What is written from now on is not written: open transactions end here.
      const closing = dying.database.close();
      await terminateConnections(superuserUrl, databaseUrl);
      await Promise.allSettled([closing, loops]);
      await dying.stop();
    },
    async stop() {
      await app?.stop();
      app = undefined;
    },
  };
}

async function terminateConnections(superuserUrl: string, databaseUrl: string): Promise<void> {
  const client = openClient(superuserUrl, 1);
  const database = new URL(databaseUrl).pathname.slice(1);
  try {
    await client`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database} and pid <> pg_backend_pid()`;
  } finally {
    await client.end({ timeout: 5 });
  }
}
