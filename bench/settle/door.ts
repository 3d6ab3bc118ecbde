import { fork, spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import type { CallOrder, CallReport } from "./caller.ts";
import { DARAJA_SECRET, accountAt, confirmationBody } from "./payments.ts";

export interface DoorFigures {
  readonly rate: number;
  readonly payments: number;
  /** From the moment a request was due to its answer, and to the commit that holds its token. */
  readonly answerMs: { readonly p50: number; readonly p99: number };
  readonly tokenMs: { readonly p50: number; readonly p99: number };
  /** Whether answers and tokens kept up with the arrivals. */
  readonly sustained: boolean;
}

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const CALLER = fileURLToPath(new URL("caller.ts", import.meta.url));
const READY_TIMEOUT_MS = 60_000;
const SETTLED_TIMEOUT_MS = 120_000;
const CONNECTIONS = 64;
/** Beyond this a token is late because a queue grows, not because work takes time. */
const SUSTAINED_P99_MS = 1_000;

export interface RunningProgram {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts the real program: door and settle loop in one process of their own. */
export async function startDoor(environment: Record<string, string>, port: number): Promise<RunningProgram> {
  const child = spawn(process.execPath, [MAIN, "serve", "--roles", "api,settle"], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { PATH: process.env["PATH"] ?? "", ...environment, WASHA_HTTP_PORT: String(port) },
  });
  const until = performance.now() + READY_TIMEOUT_MS;
  while (!(await isReady(port))) {
    if (child.exitCode !== null || performance.now() > until) throw new Error("The program did not become ready.");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { port, stop: () => endOf(child) };
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false; // nobody listens yet
  }
}

/**
 * Posts confirmations at a fixed rate from a process of its own and reads from PostgreSQL when each token's transaction was
 * committed (`track_commit_timestamp`), by the one clock of this machine. Nothing polls while the load runs.
 */
export async function measureDoor(
  client: postgres.Sql,
  {
    program,
    rate,
    seconds,
    accounts,
    prefix,
  }: { program: RunningProgram; rate: number; seconds: number; accounts: readonly string[]; prefix: string },
): Promise<DoorFigures> {
  const payments = Math.max(1, Math.round(rate * seconds));
  const paidAt = new Date();
  const bodies = Array.from({ length: payments }, (_, at) =>
    confirmationBody({ transId: transIdOf(prefix, at), account: accountAt(accounts, at), at, paidAt }),
  );
  const report = await callFromOutside({
    host: "127.0.0.1",
    port: program.port,
    path: `/rails/daraja/${DARAJA_SECRET}/confirmation`,
    connections: CONNECTIONS,
    rate,
    bodies,
  });
  if (report.failed > 0) throw new Error(`${report.failed} confirmations were not answered with success.`);
  await untilSettled(client);
  const rows = await client<{ provider_id: string; committed_ms: number }[]>`
    select r.provider_id, extract(epoch from pg_xact_commit_timestamp(t.xmin))::float8 * 1000 as committed_ms
    from payments.receipts r join devices.tokens t on t.cause = r.id::text and t.part = 0 where r.provider_id like ${`${prefix}%`}`;
  if (rows.length !== payments) throw new Error(`${rows.length} tokens were found for ${payments} payments.`);
  const committed = new Map(rows.map((row) => [row.provider_id, row.committed_ms]));
  const answerMs = figures(report.answeredAt.map((answeredAt, at) => answeredAt - (report.dueAt[at] ?? 0)));
  const tokenMs = figures(report.dueAt.map((dueAt, at) => (committed.get(transIdOf(prefix, at)) ?? 0) - dueAt));
  return {
    rate,
    payments,
    answerMs,
    tokenMs,
    sustained: answerMs.p99 < SUSTAINED_P99_MS && tokenMs.p99 < SUSTAINED_P99_MS,
  };
}

const transIdOf = (prefix: string, at: number): string => `${prefix}${String(at).padStart(8, "0")}`;

function callFromOutside(order: CallOrder): Promise<CallReport> {
  const child = fork(CALLER, { execArgv: [] });
  return new Promise((resolve, reject) => {
    let heard: CallReport | undefined;
    child.once("message", (report) => {
      heard = report as CallReport;
    });
    child.once("error", reject);
    child.once("exit", (code) =>
      heard === undefined ? reject(new Error(`The caller ended with code ${String(code)}.`)) : resolve(heard),
    );
    child.send(order);
  });
}

async function untilSettled(client: postgres.Sql): Promise<void> {
  for (const until = performance.now() + SETTLED_TIMEOUT_MS; performance.now() < until;) {
    const [row] = await client<{ waits: boolean }[]>`select exists (select from payments.pending) as waits`;
    if (row?.waits === false) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("The payments of the door were not settled within two minutes.");
}

function figures(values: readonly number[]): { p50: number; p99: number } {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
