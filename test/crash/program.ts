import { spawn, type ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const DARAJA_SECRET = "0123456789abcdefCRASH";
export const SHORTCODE = "600966";

/** The environment of every process of the run, with a key and secrets that protect nothing. */
export function programEnvironment({
  databaseUrl,
  httpPort,
  smsUrl,
  railsFile,
}: {
  databaseUrl: string;
  httpPort: number;
  smsUrl: string;
  railsFile: string;
}): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    WASHA_HTTP_PORT: String(httpPort),
    WASHA_MQTT_PORT: "0",
    WASHA_KEY: "11".repeat(32),
    WASHA_DARAJA_SECRET: DARAJA_SECRET,
    WASHA_DARAJA_SHORTCODES: SHORTCODE,
    WASHA_SMS_SECRET: "sms0123456789abcdef",
    WASHA_SMS_USERNAME: "crash",
    WASHA_SMS_KEY: "simulator",
    WASHA_SMS_URL: smsUrl,
    WASHA_RAILS: railsFile,
    WASHA_LOG: "error",
  };
}

/** One running copy of the real program. */
export interface Program {
  readonly url: string;
  readonly processId: number | undefined;
  /** How it ended, once it has: undefined while it runs. `asked` when the end was ours. */
  readonly ended: { readonly asked: boolean; readonly code: number | null } | undefined;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
  /** The last lines it wrote: its log, and what it said when it fell. */
  readonly lastWords: string;
  /** Resolves true when it answers that it is ready, false when it ended before that or took longer than `timeoutMs`. */
  untilReady(timeoutMs: number): Promise<boolean>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

const SERVE = fileURLToPath(new URL("serve.ts", import.meta.url));
const POLL_MS = 20;
const LAST_WORDS_MAX = 4_000;

/** Starts the program as a process of its own, as `washa serve` would, on the run's fast clock. Compiled code is kept between starts, which saves a third of the start. */
export function startProgram({
  environment,
  roles,
  clock,
}: {
  environment: Record<string, string>;
  roles: string;
  clock: { readonly startedAt: number; readonly speed: number };
}): Program {
  const child: ChildProcess = spawn(process.execPath, [SERVE, roles, String(clock.startedAt), String(clock.speed)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"] ?? "",
      NODE_COMPILE_CACHE: join(tmpdir(), "washa-crash-compiled"),
      ...environment,
    },
  });
  const url = `http://127.0.0.1:${environment["WASHA_HTTP_PORT"] ?? ""}`;
  let asked = false;
  let lastWords = "";
  let ended: Program["ended"];
  const hear = (chunk: Buffer): void => {
    lastWords = (lastWords + chunk.toString("utf8")).slice(-LAST_WORDS_MAX);
  };
  child.stdout?.on("data", hear);
  child.stderr?.on("data", hear);
  const gone = new Promise<void>((resolve) => {
    child.once("exit", (code) => {
      ended = { asked, code };
      resolve();
    });
  });

  async function end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (ended !== undefined) return;
    asked = true;
    child.kill(signal);
    await gone;
  }

  return {
    url,
    processId: child.pid,
    startedAt: performance.now(),
    get ended() {
      return ended;
    },
    get lastWords() {
      return lastWords;
    },
    async untilReady(timeoutMs) {
      for (const until = performance.now() + timeoutMs; performance.now() < until && ended === undefined;) {
        if (await answersReady(url)) return true;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      return false;
    },
    kill: () => end("SIGKILL"),
    async stop() {
      await end("SIGTERM");
      return ended?.code ?? null;
    },
  };
}

async function answersReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // nobody listens yet
  }
}
