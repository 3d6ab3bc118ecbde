/**
 * How many payments a second become committed tokens, against TPC-B on the same server in the same run:
 * `node bench/settle.ts`.
 */
import { createServer } from "node:net";
import type postgres from "postgres";
import { buildApp, type App } from "../src/app.ts";
import { parseConfig } from "../src/config.ts";
import { migrateDatabase, openClient } from "../src/platform/database.ts";
import { requireDatabase } from "../src/platform/embedded-postgres.ts";
import { readOptions, runProgram, WrongUse } from "../test/support/command-line.ts";
import { withPostgres } from "./run.ts";
import { growBook } from "./settle/book.ts";
import { measureDoor, startDoor, type DoorFigures } from "./settle/door.ts";
import { DARAJA_SECRET, SHORTCODE, measureSettle, storePayments } from "./settle/payments.ts";
import { measureTpcb, prepareTpcb } from "./settle/tpcb.ts";
import { seedContracts } from "./settle/village.ts";

const BAR_RATIO = 1;
/** The rate with a long book, as a share of the rate with a short one. */
const BAR_FLAT = 0.8;
const SHORT_BOOK = 10_000;
const SCALE = 10;

const HELP = `Settled payments per second (to committed token and outbox row) against TPC-B transactions per second, on one embedded
PostgreSQL with durable commits, through the same driver and number of connections, turn by turn in one run.

Usage: npm run bench:settle -- [--payments N] [--contracts N] [--seconds N] [--rounds N] [--connections N] [--batch N] [--book N] [--no-door]

  --payments N     callbacks stored before, and settled in, each measurement (20000)
  --contracts N    contracts they are spread over (5000)
  --seconds N      length of each TPC-B measurement and of the door's (6)
  --rounds N       rounds; the figures are medians over them (3)
  --connections N  connections of TPC-B, and of the program's pool (10)
  --batch N        payments settled in one transaction (the program's own default)
  --book N         receipts in the book for the second half of the run (2000000); 0 leaves that half out
  --no-door        leave out the latency from the door to the token
  --help           this text

The peer awaits every statement, as pgbench does, with prepared statements at scale ${SCALE}; its pipelined form is shown beside it.
Bars: the median of the rounds' ratios is at least ${BAR_RATIO.toFixed(1)}, with a short book and with a long one; and with the long book the rate is at least
${BAR_FLAT} of that with ${SHORT_BOOK} receipts, both against the TPC-B of their own rounds. Exit code 1 when one is missed.
Latency: a caller in a process of its own posts at half the settle rate, each request at its time whether or not earlier ones
were answered; it is counted from that time to the commit of the token's transaction, as PostgreSQL recorded it.
`;

interface Settings {
  readonly payments: number;
  readonly contracts: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  readonly batch: number | undefined;
  readonly book: number;
  readonly withDoor: boolean;
}

interface Round {
  readonly tpcb: number;
  readonly pipelined: number;
  readonly oneLoop: number;
  readonly twoLoops: number;
}

function readSettings(): Settings | undefined {
  const values = readOptions({
    payments: { type: "string", default: "20000" },
    contracts: { type: "string", default: "5000" },
    seconds: { type: "string", default: "6" },
    rounds: { type: "string", default: "3" },
    connections: { type: "string", default: "10" },
    batch: { type: "string" },
    book: { type: "string", default: "2000000" },
    "no-door": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  });
  if (values.help) return undefined;
  const whole = (name: string, text: string): number => {
    if (!/^[1-9]\d{0,6}$/.test(text)) throw new WrongUse(`--${name} takes a whole number above zero. See --help.`);
    return Number(text);
  };
  return {
    payments: whole("payments", values.payments),
    contracts: whole("contracts", values.contracts),
    seconds: whole("seconds", values.seconds),
    rounds: whole("rounds", values.rounds),
    connections: whole("connections", values.connections),
    batch: values.batch === undefined ? undefined : whole("batch", values.batch),
    book: values.book === "0" ? 0 : whole("book", values.book),
    withDoor: !values["no-door"],
  };
}

function environmentFor(databaseUrl: string, { connections, batch }: Settings): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    WASHA_HTTP_PORT: "0",
    WASHA_MQTT_PORT: "0",
    WASHA_KEY: "11".repeat(32),
    WASHA_DARAJA_SECRET: DARAJA_SECRET,
    WASHA_DARAJA_SHORTCODES: SHORTCODE,
    WASHA_SMS_SECRET: "sms0123456789abcdef",
    WASHA_SMS_USERNAME: "bench",
    WASHA_SMS_KEY: "bench",
    WASHA_SMS_URL: "http://127.0.0.1:9",
    WASHA_DB_CONNECTIONS: String(Math.max(2, connections)),
    WASHA_LOG: "error",
    ...(batch === undefined ? {} : { WASHA_SETTLE_BATCH: String(batch) }),
  };
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0;
const whole = (value: number): string => Math.round(value).toLocaleString("en");
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function measureRound(round: number, { client, apps, accounts, settings }: Scene): Promise<Round> {
  const { payments, seconds, connections } = settings;
  const peer = { scale: SCALE, connections, seconds } as const;
  const tpcb = await measureTpcb(client, { ...peer, manner: "waiting" });
  await storePayments(apps[0], { prefix: `R${round}A`, payments, accounts });
  const oneLoop = await measureSettle([apps[0]], payments);
  const pipelined = await measureTpcb(client, { ...peer, manner: "pipelined" });
  await storePayments(apps[0], { prefix: `R${round}B`, payments, accounts });
  const twoLoops = await measureSettle(apps, payments);
  say(
    `  ${String(round).padStart(5)}  ${whole(tpcb).padStart(11)}  ${whole(pipelined).padStart(11)}  ${whole(oneLoop).padStart(14)}  ${whole(twoLoops).padStart(15)}  ${(oneLoop / tpcb).toFixed(2).padStart(5)}`,
  );
  return { tpcb, pipelined, oneLoop, twoLoops };
}

interface Scene {
  readonly client: postgres.Sql;
  readonly apps: readonly [App, App];
  readonly accounts: readonly string[];
  readonly settings: Settings;
}

async function measureRounds({ from, ...scene }: Scene & { from: number }): Promise<readonly Round[]> {
  say("  round  TPC-B waits  … pipelined  settle, 1 loop  settle, 2 loops  ratio");
  const rounds: Round[] = [];
  for (let round = from; round < from + scene.settings.rounds; round++) rounds.push(await measureRound(round, scene));
  return rounds;
}

async function measureLongBook(scene: Scene): Promise<readonly Round[]> {
  const { client, settings } = scene;
  say(`\nGrowing the book to ${whole(settings.book)} receipts …`);
  const startedAt = performance.now();
  await growBook(client, {
    receipts: settings.book,
    onProgress: (receipts) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${whole(receipts)} receipts`);
    },
  });
  say(`The book has them after ${whole((performance.now() - startedAt) / 1_000)} s.`);
  return await measureRounds({ ...scene, from: settings.rounds + 1 });
}

async function measureLatency({
  client,
  environment,
  accounts,
  half,
  seconds,
}: {
  client: postgres.Sql;
  environment: Record<string, string>;
  accounts: readonly string[];
  half: number;
  seconds: number;
}): Promise<void> {
  const program = await startDoor(environment, await freePort());
  try {
    await measureDoor(client, { program, rate: Math.min(200, half), seconds: 3, accounts, prefix: "TRYOUT" });
    let attempt = 0;
    const tried: DoorFigures[] = [];
    for (let rate = half; rate >= 1; rate *= 0.8) {
      const figures = await measureDoor(client, { program, rate, seconds, accounts, prefix: `DOOR${attempt++}X` });
      tried.push(figures);
      sayDoor(figures);
      if (figures.sustained) break;
    }
    if (tried.length > 1)
      say(`  The door did not sustain half of the settle rate here; the highest load that it did is the last line.`);
  } finally {
    await program.stop();
  }
}

function sayDoor({ rate, answerMs, tokenMs, sustained }: DoorFigures): void {
  const of = ({ p50, p99 }: { p50: number; p99: number }): string =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
  say(
    `  at ${whole(rate)} payments a second: door to token ${of(tokenMs)}; answer ${of(answerMs)}${sustained ? "" : "; not sustained, a queue grows"}`,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("The system gave no port.");
  return address.port;
}

async function runBench(settings: Settings, databaseUrl: string): Promise<number> {
  const environment = environmentFor(databaseUrl, settings);
  const config = parseConfig(environment);
  const client = openClient(databaseUrl, settings.connections);
  const apps: readonly [App, App] = [await buildApp({ config, roles: [] }), await buildApp({ config, roles: [] })];
  try {
    say(`Making ${whole(settings.contracts)} contracts and TPC-B at scale ${SCALE} …`);
    const accounts = await seedContracts(apps[0], settings.contracts, (done) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${whole(done)} contracts`);
    });
    await prepareTpcb(client, SCALE);
    await client.unsafe("vacuum analyze");
    await storePayments(apps[0], { prefix: "WARMUP", payments: SHORT_BOOK, accounts });
    await measureSettle(apps, SHORT_BOOK);
    await client.unsafe("vacuum analyze");
    say(
      `\nPer second, ${settings.connections} connections, batches of ${config.settleBatchMax}, ${whole(settings.payments)} payments a measurement:`,
    );
    const short = await measureRounds({ client, apps, accounts, settings, from: 1 });
    const long = settings.book === 0 ? undefined : await measureLongBook({ client, apps, accounts, settings });
    const rounds = [...short, ...(long ?? [])];
    const oneLoop = median(rounds.map((round) => round.oneLoop));
    const twoLoops = median(rounds.map((round) => round.twoLoops));
    const ratioOf = (some: readonly Round[]): number => median(some.map((round) => round.oneLoop / round.tpcb));
    const ratio = long === undefined ? ratioOf(short) : Math.min(ratioOf(short), ratioOf(long));
    say(`\nSettled payments: ${whole(oneLoop)} a second with one loop, ${whole(twoLoops)} with two in one process.`);
    say(
      `TPC-B: ${whole(median(rounds.map((round) => round.tpcb)))} transactions a second; pipelined ${whole(median(rounds.map((round) => round.pipelined)))}.`,
    );
    if (settings.withDoor) {
      say("\nFrom the caller's sending, over HTTP, to the commit of the token, at half of the settle rate:");
      await measureLatency({
        client,
        environment,
        accounts,
        half: oneLoop / 2,
        seconds: Math.max(settings.seconds, 6),
      });
    }
    const flat = long === undefined ? undefined : ratioOf(long) / ratioOf(short);
    if (long !== undefined && flat !== undefined) {
      const rate = (some: readonly Round[]): string => whole(median(some.map((round) => round.oneLoop)));
      say(
        `\n${flat >= BAR_FLAT ? "PASS" : "FAIL"}: with ${whole(settings.book)} receipts in the book ${rate(long)} a second (${ratioOf(long).toFixed(2)} of TPC-B), with ${whole(SHORT_BOOK)} ` +
          `${rate(short)} (${ratioOf(short).toFixed(2)}): ${flat.toFixed(2)} of the rate is left (bar ${BAR_FLAT})`,
      );
    }
    say(
      `\n${ratio >= BAR_RATIO ? "PASS" : "FAIL"}: settled payments ÷ TPC-B transactions = ${ratio.toFixed(2)} (bar ${BAR_RATIO.toFixed(1)})`,
    );
    return ratio >= BAR_RATIO && (flat ?? 1) >= BAR_FLAT ? 0 : 1;
  } finally {
    for (const app of apps) await app.stop();
    await client.end({ timeout: 5 });
  }
}

async function main(): Promise<number> {
  const settings = readSettings();
  if (settings === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const flags = ["track_commit_timestamp=on", "shared_buffers=512MB", "max_wal_size=4GB"];
  return await withPostgres(flags, async (postgres) => {
    const url = await requireDatabase(postgres.current(), "washa");
    await migrateDatabase(url);
    return await runBench(settings, url);
  });
}

await runProgram(main);
