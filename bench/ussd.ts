/** How fast callers are answered, 500 sessions at once, against an empty express handler: `node bench/ussd.ts`. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import { buildApp } from "../src/app.ts";
import { parseConfig } from "../src/config.ts";
import { migrateDatabase, openClient } from "../src/platform/database.ts";
import { requireDatabase } from "../src/platform/embedded-postgres.ts";
import { readOptions, runProgram, WrongUse } from "../test/support/command-line.ts";
import { withPostgres } from "./run.ts";
import { seedContracts } from "./settle/village.ts";
import type { CallOrder, CallReport } from "./ussd/caller.ts";
import type { DoorOrder, DoorWord } from "./ussd/door.ts";

const BAR_P99_MS = 100;
/** Memory after the last session, as a share of that after the first fifth of them. */
const BAR_FLAT = 1.15;
const SESSIONS = 500;
const PHONES = 2_000;
/** Below 200 a session of five hops would last longer than a gateway lets it. */
const RATES = [200, 300, 400, 600, 800, 1_000, 1_500];
const SECRET = "ussd0123456789abbench";
const HELP = `Answers of the USSD door, ${SESSIONS} sessions at once, every hop at its time whether or not others were answered; PostgreSQL with durable commits.

Usage: npm run bench:ussd -- [--seconds N] [--rate N] [--sessions N]

  --seconds N   length of each measurement (8)
  --rate N      hops a second; without it, rates are raised until p99 passes ${BAR_P99_MS} ms, and the highest below it counts
  --sessions N  conversations over which memory is watched (100000); 0 leaves that out
  --help        this text

Bars: p99 of an answer below ${BAR_P99_MS} ms at the rate that is said, no session lost, and memory after all sessions at most ${BAR_FLAT} times that after a
fifth of them. The empty handler is called at the same rate in the same run. Exit code 1 when a bar is missed.
`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const quantile = ({ latenciesMs }: CallReport, share: number): number =>
  latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * share))] ?? 0;
const timesOf = (report: CallReport): string =>
  `p50 ${quantile(report, 0.5).toFixed(1)} ms, p99 ${quantile(report, 0.99).toFixed(1)} ms`;

function readSettings() {
  const values = readOptions({
    seconds: { type: "string", default: "8" },
    rate: { type: "string" },
    sessions: { type: "string", default: "100000" },
    help: { type: "boolean", default: false },
  });
  if (values.help) return undefined;
  const whole = (name: string, text: string): number => {
    if (!/^\d{1,7}$/.test(text)) throw new WrongUse(`--${name} takes a whole number. See --help.`);
    return Number(text);
  };
  return {
    seconds: whole("seconds", values.seconds),
    rate: values.rate === undefined ? undefined : whole("rate", values.rate),
    sessions: whole("sessions", values.sessions),
  };
}

function begin(file: string, order: object, execArgv: string[] = []): ChildProcess {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), { execArgv });
  child.send(order);
  return child;
}

function next<Word>(child: ChildProcess): Promise<Word> {
  return new Promise((resolve, reject) => {
    child.once("message", (word) => resolve(word as Word));
    child.once("exit", (code) => reject(new Error(`A part of the bench ended with code ${String(code)}.`)));
  });
}

async function startDoor(order: DoorOrder): Promise<{ port: number; memory(): Promise<number>; stop(): void }> {
  const child = begin("ussd/door.ts", order, [
    "--expose-gc",
    "--max-semi-space-size=64",
    "--no-allocation-site-pretenuring",
  ]);
  const word = await next<DoorWord>(child);
  return {
    port: word.kind === "listening" ? word.port : 0,
    async memory() {
      child.send({});
      const told = await next<DoorWord>(child);
      return told.kind === "memory" ? told.bytes : 0;
    },
    stop: () => void child.kill(),
  };
}

let runs = 0;

async function call(
  order: Pick<CallOrder, "port" | "path" | "rate" | "seconds">,
): Promise<CallReport & { prefix: string }> {
  const prefix = `bench${String((runs += 1))}-`;
  const caller = begin("ussd/caller.ts", { sessions: SESSIONS, phones: PHONES, prefix, ...order } satisfies CallOrder);
  return { ...(await next<CallReport>(caller)), prefix };
}

async function lostOf(client: postgres.Sql, { prefix, begun }: { prefix: string; begun: number }): Promise<number> {
  const [row] = await client<{ kept: number }[]>`
    select count(*)::int as kept from ussd.sessions where key like ${`${prefix}%`} and outcome = 'told'`;
  return begun - (row?.kept ?? 0);
}

async function measure(
  client: postgres.Sql,
  environment: Record<string, string>,
  settings: NonNullable<ReturnType<typeof readSettings>>,
): Promise<number> {
  const program = await startDoor({ environment });
  const empty = await startDoor({});
  const path = `/ussd/africastalking/${SECRET}`;
  try {
    await call({ port: program.port, path, rate: 400, seconds: 3 });
    let best: { rate: number; report: CallReport } | undefined;
    let lost = 0;
    for (const rate of settings.rate === undefined ? RATES : [settings.rate]) {
      const report = await call({ port: program.port, path, rate, seconds: settings.seconds });
      const gone = (await lostOf(client, report)) + report.wrong;
      lost += gone;
      say(
        `  ${String(rate).padStart(5)} hops/s: ${timesOf(report)}; ${String(report.begun)} sessions, ${String(gone)} lost`,
      );
      if (quantile(report, 0.99) >= BAR_P99_MS) break;
      best = { rate, report };
    }
    if (best === undefined) {
      say(`FAIL: p99 is not below ${String(BAR_P99_MS)} ms at any rate.`);
      return 1;
    }
    const peer = await call({ port: empty.port, path: "/", rate: best.rate, seconds: settings.seconds });
    const ratio = quantile(best.report, 0.5) / quantile(peer, 0.5);
    say(`\nThe empty express handler at ${String(best.rate)} hops/s: ${timesOf(peer)}.`);
    say(
      `${lost === 0 ? "PASS" : "FAIL"}: ${String(SESSIONS)} sessions at once, ${String(best.rate)} hops/s: ${timesOf(best.report)} (bar p99 < ${String(BAR_P99_MS)} ms), ` +
        `${ratio.toFixed(1)} times the empty handler's p50; ${String(lost)} sessions lost.`,
    );
    const isFlat =
      settings.sessions === 0 || (await staysFlat({ program, path, rate: best.rate, sessions: settings.sessions }));
    return lost === 0 && isFlat ? 0 : 1;
  } finally {
    program.stop();
    empty.stop();
  }
}

/** Memory after a fifth of the sessions and after all of them, each after a collection. */
async function staysFlat({
  program,
  path,
  rate,
  sessions,
}: {
  program: Awaited<ReturnType<typeof startDoor>>;
  path: string;
  rate: number;
  sessions: number;
}): Promise<boolean> {
  let [done, early] = [0, 0];
  while (done < sessions) {
    done += (await call({ port: program.port, path, rate, seconds: 30 })).begun;
    if (process.stderr.isTTY) process.stderr.write(`\r${String(done)}/${String(sessions)} sessions`);
    if (early === 0 && done >= sessions / 5) early = await program.memory();
  }
  const late = await program.memory();
  const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MB`;
  const isFlat = late <= early * BAR_FLAT;
  say(
    `${isFlat ? "PASS" : "FAIL"}: memory ${megabytes(early)} after a fifth of ${String(done)} sessions, ${megabytes(late)} after all.`,
  );
  return isFlat;
}

async function main(): Promise<number> {
  const settings = readSettings();
  if (settings === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  return await withPostgres(["shared_buffers=256MB", "max_wal_size=4GB"], async (server) => {
    const url = await requireDatabase(server.current(), "washa");
    await migrateDatabase(url);
    const environment = {
      DATABASE_URL: url,
      WASHA_HTTP_PORT: "0",
      WASHA_MQTT_PORT: "0",
      WASHA_KEY: "11".repeat(32),
      WASHA_SMS_SECRET: "sms0123456789abcdef",
      WASHA_SMS_USERNAME: "bench",
      WASHA_SMS_KEY: "bench",
      WASHA_SMS_URL: "http://127.0.0.1:9",
      WASHA_USSD_SECRET: SECRET,
      WASHA_LOG: "error",
    };
    const seeder = await buildApp({ config: parseConfig(environment), roles: [] });
    await seedContracts(seeder, PHONES, () => undefined);
    await seeder.stop();
    const client = openClient(url, 1);
    try {
      await client.unsafe("vacuum analyze");
      return await measure(client, environment, settings);
    } finally {
      await client.end({ timeout: 5 });
    }
  });
}

await runProgram(main);
