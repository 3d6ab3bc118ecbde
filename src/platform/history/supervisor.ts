import { fork, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { FromChild, ToChild } from "./engine-child.ts";

/** Where the embedded engine answers, and the password that keeps other users of this machine out. */
export interface Front {
  readonly url: string;
  readonly password: string;
}

/** Why there is no engine. `missing`: the optional package is not installed. `in_use`: another process owns the folder. */
export type Absence = "starting" | "crashed" | "missing" | "in_use" | "broken" | "stopped";

export interface EngineSupervisor {
  /** Where it answers, or why it does not. */
  state(): Front | Absence;
  /** Of the engine's process, for tests that end it. */
  processId(): number | undefined;
  /** Resolves when the engine answers or has once failed to (missing, in use, broken, crashed). Never rejects. */
  settled(): Promise<void>;
  /** Lets what runs come to its end, at most ten seconds. */
  stop(): Promise<void>;
}

/** Between two starts of an engine that ends again and again. */
export interface RestartPauses {
  readonly firstMs: number;
  readonly longestMs: number;
}
const RESTART_PAUSES: RestartPauses = { firstMs: 200, longestMs: 30_000 };
const IN_USE_PAUSE_MS = 200;
/** Up for so long, the next crash is a first one again. */
const STEADY_AFTER_MS = 60_000;
/** A predecessor whose program was killed notices it and ends; its folder is free then. */
const IN_USE_ATTEMPTS_MAX = 8;
const STOP_PATIENCE_MS = 10_000;
const FRONT_FILE = "front.json";
const CHILD = fileURLToPath(new URL("engine-child.ts", import.meta.url));

/**
 * Runs the embedded engine in a process of its own and starts it again, with growing pauses, whenever it ends. Other
 * processes of this user find it by a file in the folder (`findFront`).
 */
export function superviseEngine({
  folder: given,
  pauses = RESTART_PAUSES,
  program = CHILD,
  onFault = () => undefined,
}: {
  folder: string;
  pauses?: RestartPauses | undefined;
  /** What is run as the engine's process. */
  program?: string;
  onFault?: (fault: { readonly reason: Absence; readonly message: string }) => void;
}): EngineSupervisor {
  const folder = resolve(given);
  const password = randomBytes(24).toString("base64url");
  let state: Front | Absence = "starting";
  let child: ChildProcess | undefined;
  let lastPort = 0;
  let failures = 0;
  let inUse = 0;
  let isStopping = false;
  let steady: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;
  const settled = Promise.withResolvers<void>();

  function hear(message: FromChild): void {
    if (message.say === "ready") {
      lastPort = message.port;
      inUse = 0;
      state = { url: `http://127.0.0.1:${String(message.port)}`, password };
      writeFileSync(join(folder, FRONT_FILE), JSON.stringify({ ...state, pid: process.pid }), { mode: 0o600 });
      steady = setTimeout(() => (failures = 0), STEADY_AFTER_MS).unref();
      settled.resolve();
      return;
    }
    if (message.reason === "port_taken") lastPort = 0;
    else if (message.reason !== "in_use" || ++inUse >= IN_USE_ATTEMPTS_MAX) {
      state = message.reason;
      onFault({ reason: message.reason, message: message.message });
      settled.resolve();
    }
  }

  function begin(): void {
    if (isStopping) return;
    const started = fork(program, [], { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"], env: {} });
    child = started;
    let complaint = "";
    let hasSpoken = false;
    started.stderr?.on("data", (piece: Buffer) => (complaint = (complaint + piece.toString()).slice(-2_000)));
    started.on("message", (message: FromChild) => {
      hasSpoken = true;
      hear(message);
    });
    started.once("error", (error) => (complaint += error.message));
    started.once("close", (code, signal) => {
      clearTimeout(steady);
      if (isStopping || state === "missing") return;
      // One that ends before its first word was ended by native code, by the system, or by what it could not load.
      if (!hasSpoken || typeof state === "object" || state === "crashed") {
        state = "crashed";
        settled.resolve();
        const how = signal ?? `code ${String(code)}`;
        onFault({ reason: "crashed", message: `The history engine ended (${how}); it is started again. ${complaint}` });
      }
      const pause = inUse > 0 && inUse < IN_USE_ATTEMPTS_MAX ? IN_USE_PAUSE_MS : pauseAfter(failures++, pauses);
      retry = setTimeout(begin, pause);
    });
    const order: ToChild = { say: "start", folder, password, port: lastPort };
    started.send(order, () => undefined);
  }

  mkdirSync(folder, { recursive: true, mode: 0o700 });
  begin();
  return {
    state: () => state,
    processId: () => child?.pid,
    settled: () => settled.promise,
    async stop() {
      isStopping = true;
      clearTimeout(retry);
      clearTimeout(steady);
      const running = child;
      if (typeof state === "object") rmSync(join(folder, FRONT_FILE), { force: true });
      state = "stopped";
      settled.resolve();
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const gone = new Promise((done) => running.once("close", done));
      const impatience = setTimeout(() => running.kill("SIGKILL"), STOP_PATIENCE_MS);
      const order: ToChild = { say: "stop" };
      running.send(order, (error) => error !== null && running.kill("SIGKILL"));
      await gone;
      clearTimeout(impatience);
    },
  };
}

function pauseAfter(failures: number, { firstMs, longestMs }: RestartPauses): number {
  return Math.min(firstMs * 2 ** Math.min(failures, 20), longestMs);
}

/** The front that another process of this user runs on the folder; undefined when there is none. */
export function findFront(folder: string): Front | undefined {
  try {
    const found = JSON.parse(readFileSync(join(resolve(folder), FRONT_FILE), "utf8")) as Front & { pid: number };
    process.kill(found.pid, 0);
    return { url: found.url, password: found.password };
  } catch {
    return undefined;
  }
}
