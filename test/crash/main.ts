/**
 * Kills the real program and its PostgreSQL while payments come in, and then counts: `node test/crash/main.ts --kills 100`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSmsGateway, type SmsGatewaySimulator } from "../../simulators/sms-gateway/sms-gateway.ts";
import { buildApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { migrateDatabase } from "../../src/platform/database.ts";
import { requireDatabase } from "../../src/platform/embedded-postgres.ts";
import { importStatements } from "../rails/statements.ts";
import { readOptions, runProgram, wholeOption } from "../support/command-line.ts";
import { countUnfinished, readBooks } from "./books.ts";
import { makeChance, type Chance } from "./chance.ts";
import { fastClock } from "./fast-clock.ts";
import { startLoad, type Load } from "./load.ts";
import { findBlindSpots } from "./planted-faults.ts";
import { programEnvironment, startProgram, type Program } from "./program.ts";
import { startRails, type Rails } from "./rails.ts";
import { reconcile, type Check, type Outside } from "./reconcile.ts";
import { startServer, type Server } from "./server.ts";
import { startStaff, type StaffLoad } from "./staff-load.ts";
import { seedVillage } from "./village.ts";

const HELP = `Kills the real program with SIGKILL at random moments under load, restarts it, and reconciles its books at the end.

Usage: npm run test:crash -- [--kills N] [--seed N] [--contracts N] [--callers N] [--staff N]
       npm run test:crash -- --ingest --help    the same of what devices tell: gateways, PostgreSQL and history are killed

  --kills N      how many kills (100); one in ten hits PostgreSQL instead of the program
  --seed N       draws the payments, the victims and the moments (random); the same seed draws the same ones,
                 though what the machine was doing at that moment can differ
  --contracts N  contracts that are paid for (60)
  --callers N    callers that pay at once, without end (12)
  --staff N      people who ask phones to pay and take cash, without end (6)
  --keep         leave the database folder behind
  --help         this text

Exit code 1 when a payment is lost or doubled, a token doubled or skipped, a message missing, or any other promise broken.
`;

const READY_TIMEOUT_MS = 60_000;
/** The doors answer a moment before the last role is up; a busy machine takes this long for a whole start. */
const STARTING_MS = 4_000;
const QUIET_TIMEOUT_MS = 180_000;
/** One kill of so many hits PostgreSQL; which one of them is drawn. */
const POSTGRES_EVERY = 10;
const ROLES = "api,settle,worker";
const BROKEN_SHOWN_MAX = 5;
/** Payers decide within minutes and enquiries take as long; a run has not that much time. */
const SPEED = 30;

interface Stage {
  readonly server: Server;
  readonly clock: { readonly startedAt: number; readonly speed: number };
  readonly environments: readonly Record<string, string>[];
  /** A place per environment; undefined while nobody stands there. */
  readonly programs: (Program | undefined)[];
  /** Ends of a program that nobody asked for. */
  readonly falls: string[];
  /** Starts that met no database. */
  readonly startsInVain: string[];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("The system gave no port.");
  return address.port;
}

/** Starts who is missing at the wanted places; notes who ended without having been killed. */
function fillPlaces(stage: Stage, wanted: number): void {
  stage.environments.forEach((environment, place) => {
    const there = stage.programs[place];
    if (there?.ended !== undefined && !there.ended.asked) noteFall(stage, there);
    if (there?.ended !== undefined) stage.programs[place] = undefined;
    if (place < wanted) stage.programs[place] ??= startProgram({ environment, roles: ROLES, clock: stage.clock });
  });
}

/**
 * A start whose database is away, or goes away before the start is over, ends at once with a reason, for whoever supervises the
 * program to try again. A program that was up must live through it.
 */
function noteFall(stage: Stage, program: Program): void {
  const { goneAt, backAt } = stage.server;
  const wasStarting = program.startedAt > goneAt - STARTING_MS && program.startedAt < backAt;
  if (wasStarting) stage.startsInVain.push(program.lastWords);
  else stage.falls.push(`a program ended by itself with code ${String(program.ended?.code)}: ${program.lastWords}`);
}

async function untilAllReady(stage: Stage): Promise<void> {
  for (const program of stage.programs) {
    if (program === undefined || (await program.untilReady(READY_TIMEOUT_MS))) continue;
    if (program.ended === undefined) throw new Error(`The program was not ready after a minute: ${program.lastWords}`);
  }
}

/** One kill: at a drawn moment after all are ready or, sometimes, while they still start. */
async function killSomething(stage: Stage, chance: Chance, isPostgres: boolean): Promise<"program" | "postgres"> {
  const isEarly = chance.happens(0.15);
  const childrenToo = chance.happens(0.5);
  const moment = chance.below(isEarly ? 1_500 : 700);
  const places = chance.next();
  fillPlaces(stage, places < 0.3 ? 2 : 1);
  const victimDraw = chance.next();
  if (!isEarly) await untilAllReady(stage);
  await new Promise((resolve) => setTimeout(resolve, moment));
  if (isPostgres) {
    await stage.server.killAndRestart({ childrenToo });
    return "postgres";
  }
  const running = stage.programs.filter((program) => program !== undefined && program.ended === undefined);
  await running[Math.floor(victimDraw * running.length)]?.kill();
  return "program";
}

/** Lets one program finish everything that was begun: also what a killed worker held until its claim ran out. */
async function untilQuiet(stage: Stage, { databaseUrl, rails }: { databaseUrl: string; rails: Rails }): Promise<void> {
  const until = performance.now() + QUIET_TIMEOUT_MS;
  for (;;) {
    fillPlaces(stage, 1);
    await untilAllReady(stage);
    const left = await countUnfinished(databaseUrl);
    const isQuiet = rails.isQuiet(fastClock(stage.clock).now());
    const waiting = left.callbacks + left.requests + left.events + left.messages;
    if ((waiting === 0 && isQuiet) || performance.now() > until) return;
    progress(
      `settling: ${left.callbacks} callbacks, ${left.requests} requests, ${left.events} events and ${left.messages} messages wait${isQuiet ? "" : ", and news is on its way"}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(100)}`);
}

function report(checks: readonly Check[]): void {
  for (const { promise, checked, broken } of checks) {
    process.stdout.write(
      `${broken.length === 0 ? "ok    " : "BROKEN"}  ${String(checked).padStart(7)}  ${promise}${broken.length === 0 ? "" : ` (${broken.length} times)`}\n`,
    );
    for (const text of broken.slice(0, BROKEN_SHOWN_MAX)) process.stdout.write(`                   ${text}\n`);
  }
}

const brokenOf = (checks: readonly Check[], words: string): number =>
  checks.filter(({ promise }) => promise.includes(words)).reduce((total, { broken }) => total + broken.length, 0);

interface Run {
  readonly kills: number;
  readonly seed: number;
  readonly stage: Stage;
  readonly load: Load;
  readonly staffLoad: StaffLoad;
  readonly rails: Rails;
  readonly databaseUrl: string;
  readonly sms: SmsGatewaySimulator;
  readonly office: string;
}

async function crashAndCount({ kills, seed, stage, load, staffLoad, rails, databaseUrl, sms, office }: Run): Promise<{
  killed: Record<"program" | "postgres", number>;
  code: number | null;
}> {
  const chance = makeChance(seed);
  const killed = { program: 0, postgres: 0 };
  let postgresTurn = 0;
  for (let kill = 1; kill <= kills; kill++) {
    if (kill % POSTGRES_EVERY === 1) postgresTurn = kill + chance.below(POSTGRES_EVERY);
    killed[await killSomething(stage, chance, kill === postgresTurn)] += 1;
    const text = `${kill} of ${kills} kills (${killed.postgres} of PostgreSQL), ${load.told.size} payments, ${staffLoad.ordered.length} orders, ${sms.requests} SMS`;
    progress(text);
    if (!process.stderr.isTTY && kill % 10 === 0) process.stdout.write(`${text}\n`);
  }
  fillPlaces(stage, 1);
  await untilAllReady(stage);
  await Promise.all([load.stop(), staffLoad.stop()]);
  await untilQuiet(stage, { databaseUrl, rails });
  await sweepAll(stage, { rails, office });
  await untilQuiet(stage, { databaseUrl, rails });
  await importAll(stage, rails);
  await untilQuiet(stage, { databaseUrl, rails });
  await stage.programs[1]?.kill();
  const code = (await stage.programs[0]?.stop()) ?? null;
  return { killed, code };
}

/**
 * Imports every provider's statement beside the running program, as the command line does: what an enquiry would find in an hour or
 * six, when the payer paid after the program was killed for the last time, the statement tells now.
 */
async function importAll({ clock, environments }: Stage, { simulator }: Rails): Promise<void> {
  const app = await buildApp({ config: parseConfig(environments[0] ?? {}), roles: [], clock: fastClock(clock) });
  try {
    await importStatements(app, simulator, { from: new Date(clock.startedAt), to: fastClock(clock).now() });
  } finally {
    await app.stop();
  }
}

/** Asks for a sweep of every rail that can list, as a person would after such a day, and waits for the lists to be read. */
async function sweepAll(stage: Stage, { rails, office }: { rails: Rails; office: string }): Promise<void> {
  const url = stage.programs[0]?.url ?? "";
  const ask = async (query: string, variables: object): Promise<{ data?: Record<string, unknown> }> => {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${office}` },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as { data?: Record<string, unknown> };
  };
  const sweeps = `query { sweeps { rail lastRunAt doneUntil } }`;
  const listing = new Set<string>();
  const from = new Date(stage.clock.startedAt).toISOString();
  for (const { name } of rails.simulator.channels) {
    const { data } = await ask(
      `mutation ($rail: String!, $from: DateTime, $key: String!) { sweepRail(rail: $rail, from: $from, idempotencyKey: $key) { __typename } }`,
      { rail: name, from, key: `sweep-${name}-${stage.clock.startedAt}` },
    );
    if (JSON.stringify(data ?? {}).includes("Sweep")) listing.add(name);
  }
  const asked = fastClock(stage.clock).now();
  const until = performance.now() + QUIET_TIMEOUT_MS;
  for (;;) {
    const { data } = await ask(sweeps, {});
    const rows = (data?.["sweeps"] ?? []) as { rail: string; doneUntil: string }[];
    const left = rows.filter(
      ({ rail, doneUntil }) => listing.has(rail) && new Date(doneUntil).getTime() < asked.getTime() - 120_000,
    );
    if (left.length === 0 || performance.now() > until) return;
    progress(`sweeping: ${left.map(({ rail }) => rail).join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** What the providers did to us, by kind. */
function faultsOf({ simulator }: Rails): string {
  return Object.entries(simulator.counts().faults)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ");
}

async function main(): Promise<number> {
  const values = readOptions({
    kills: { type: "string" },
    seed: { type: "string" },
    contracts: { type: "string" },
    callers: { type: "string" },
    staff: { type: "string" },
    keep: { type: "boolean" },
    help: { type: "boolean" },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const kills = wholeOption("kills", values.kills, { fallback: 100 });
  const seed = wholeOption("seed", values.seed, { fallback: Math.floor(Math.random() * 1_000_000) });
  const startedAt = performance.now();
  process.stdout.write(
    `Seed ${seed}: ${kills} kills. The same again: npm run test:crash -- --kills ${kills} --seed ${seed}\n`,
  );
  const folder = mkdtempSync(join(tmpdir(), "washa-crash-"));
  const server = await startServer({ folder });
  const sms = await startSmsGateway({ seed, shares: { http_500: 0.03 } });
  const programs: (Program | undefined)[] = [undefined, undefined];
  const clock = { startedAt: Date.now(), speed: SPEED };
  const doors = (): readonly string[] =>
    programs.flatMap((program) => (program === undefined || program.ended !== undefined ? [] : [program.url]));
  const rails = await startRails({ seed, clock: fastClock(clock), doors });
  async function clear(): Promise<void> {
    for (const program of programs) await program?.kill();
    await rails.stop();
    await sms.stop();
    await server.stop();
    if (values.keep === true) process.stdout.write(`The database is left in ${folder}.\n`);
    else rmSync(folder, { recursive: true, force: true });
  }
  // PostgreSQL stands in a process group of its own: a Ctrl-C that only ended us would leave it behind.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void clear().finally(() => process.exit(130)));
  try {
    const databaseUrl = await requireDatabase(server.current, "washa");
    await migrateDatabase(databaseUrl);
    const environments = [await freePort(), await freePort()].map((httpPort) =>
      programEnvironment({ databaseUrl, httpPort, smsUrl: sms.url, railsFile: rails.file }),
    );
    const { households, railHouseholds, staff } = await seedVillage(environments[0] ?? {}, {
      contracts: wholeOption("contracts", values.contracts, { fallback: 60 }),
      chance: makeChance(seed + 1),
      clock: fastClock(clock),
    });
    const stage: Stage = { server, clock, environments, programs, falls: [], startsInVain: [] };
    const load = startLoad({
      seed,
      callers: wholeOption("callers", values.callers, { fallback: 12 }),
      households,
      doors,
    });
    const staffLoad = startStaff({
      seed,
      people: wholeOption("staff", values.staff, { fallback: 6 }),
      households: railHouseholds,
      doors,
      simulator: rails.simulator,
      clock: fastClock(clock),
      tokens: staff,
    });
    const run: Run = { kills, seed, stage, load, staffLoad, rails, databaseUrl, sms, office: staff.office };
    const { killed, code } = await crashAndCount(run);
    progress("");
    const outside: Outside = {
      told: [...load.told.values()],
      households: [...households, ...railHouseholds],
      arrived: sms.messages(),
      held: rails.simulator
        .held()
        .map(({ channel, id, amountMinor, phone }) => ({ rail: channel, id, amountMinor, phone })),
      ordered: staffLoad.ordered,
    };
    const books = await readBooks(databaseUrl);
    const checks: readonly Check[] = [
      ...reconcile(books, outside),
      {
        promise: "the door answers as it should",
        checked: load.told.size,
        broken: [...load.wrongAnswers, ...staffLoad.wrongAnswers],
      },
      { promise: "a program ends only when it is killed", checked: killed.program + 1, broken: stage.falls },
      {
        promise: "a program that is asked to stop ends with success",
        checked: 1,
        broken: code === 0 ? [] : [`exit code ${String(code)}`],
      },
    ];
    report(checks);
    const { planted, unnoticed } = findBlindSpots(books, outside);
    const acknowledged = outside.told.filter(({ successes }) => successes > 0).length;
    const attempts = outside.told.reduce((total, about) => total + about.attempts, 0);
    process.stdout.write(
      `\n${killed.program} kills of the program and ${killed.postgres} of PostgreSQL in ${Math.round((performance.now() - startedAt) / 1000)} s (seed ${seed}); ${stage.startsInVain.length} starts met no database.\n` +
        `${outside.told.length} payments in ${attempts} requests, ${acknowledged} acknowledged; ${books.receipts.length} booked, ${books.tokens.length} tokens, ` +
        `${books.messages.length} messages, which arrived ${outside.arrived.length} times.\n` +
        `The checks noticed ${planted - unnoticed.length} of ${planted} faults planted in copies of these books${unnoticed.length === 0 ? "" : `, but not ${unnoticed.join(", ")}`}.\n` +
        `Rails: ${outside.held.length} payments at the simulated providers, ${books.intents.length} requests to pay, ${books.cash.length} cash receipts; faults ${faultsOf(rails)}.\n` +
        `${brokenOf(checks, "not lost")} lost, ${brokenOf(checks, "not doubled")} doubled payments; ${brokenOf(checks, "without gap")} devices with doubled or skipped tokens; ` +
        `${brokenOf(checks, "outbox")} messages not exactly once in the outbox.\n`,
    );
    return checks.every(({ broken }) => broken.length === 0) && unnoticed.length === 0 ? 0 : 1;
  } finally {
    await clear();
  }
}

// Readings have a run of their own, with its own options.
await runProgram(async () => {
  if (!process.argv.includes("--ingest")) return await main();
  return await (await import("./ingest/main.ts")).crashIngest(process.argv.slice(2));
});
