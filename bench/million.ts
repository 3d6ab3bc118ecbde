/**
 * What a million devices cost on one machine: `npm run bench:million`. Bars: ingest with all devices within 20 % of ingest with
 * ten thousand; every query of the fleet screen below 300 ms.
 */
import { systemClock } from "../src/kernel/time.ts";
import { migrateDatabase, openClient, openDatabase, type Database } from "../src/platform/database.ts";
import { requireDatabase } from "../src/platform/embedded-postgres.ts";
import { readOptions, runProgram, WrongUse } from "../test/support/command-line.ts";
import { withPostgres } from "./run.ts";
import { growFleet, tableSizes } from "./million/fleet.ts";
import { openIngestBench, type IngestBench, type IngestFigures } from "./million/ingest.ts";
import { COMMANDS_A_DEVICE, fillReport, measureReport } from "./million/report.ts";
import { measureRounds } from "./million/rounds.ts";
import { measureScreen, type QueryFigures } from "./million/screen.ts";

const BAR_INGEST = 0.8;
const BAR_SCREEN_MS = 300;
const BAR_REPORT_MS = 1_000;
const SMALL = 10_000;

const HELP = `The state table with a million devices on one embedded PostgreSQL with durable commits.

Usage: npm run bench:million -- [--devices N] [--frames N] [--rounds N] [--repeats N] [--in-flight N] [--report-only]

  --devices N    devices of the large fleet (1000000)
  --frames N     frames committed in each measurement of ingest, one reading each (200000)
  --rounds N     measurements of ingest with each fleet, turn by turn; the figures are medians (5)
  --repeats N    times that each query of the screen is asked (30)
  --in-flight N  frames that wait for their commit at once (5000)
  --report-only  measure the report on the whole fleet and nothing else
  --help         this text

Ingest goes through the program's own lane: frames of devices drawn at random, each with one reading of eight values, committed in
groups, by a process that has heard every device before; what is left out is the broker and the reading of bytes. The small fleet (${SMALL} devices) is measured in a database of
its own on the same server, turn by turn with the large one, both in the same state of the machine.
Bars: median rate of the large fleet ÷ small fleet ≥ ${BAR_INGEST}; p95 of every query of the fleet screen < ${BAR_SCREEN_MS} ms, while nothing
else runs; p95 of the report on the whole fleet < ${BAR_REPORT_MS} ms. Exit code 1 when one is missed.
`;

interface Settings {
  readonly devices: number;
  readonly frames: number;
  readonly rounds: number;
  readonly repeats: number;
  readonly inFlight: number;
  readonly isReportOnly: boolean;
}

function readSettings(): Settings | undefined {
  const text = { type: "string" } as const;
  const values = readOptions({
    devices: { ...text, default: "1000000" },
    frames: { ...text, default: "200000" },
    rounds: { ...text, default: "5" },
    repeats: { ...text, default: "30" },
    "in-flight": { ...text, default: "5000" },
    "report-only": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  });
  if (values.help) return undefined;
  const whole = (name: string, given: string): number => {
    if (!/^[1-9]\d{0,7}$/.test(given)) throw new WrongUse(`--${name} takes a whole number above zero. See --help.`);
    return Number(given);
  };
  const settings = {
    devices: whole("devices", values.devices),
    frames: whole("frames", values.frames),
    rounds: whole("rounds", values.rounds),
    repeats: whole("repeats", values.repeats),
    inFlight: whole("in-flight", values["in-flight"]),
    isReportOnly: values["report-only"],
  };
  if (settings.devices < SMALL) throw new WrongUse(`--devices is at least ${SMALL}, the size of the small fleet.`);
  return settings;
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0;
const whole = (value: number): string => Math.round(value).toLocaleString("en");
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const progress = (text: string): void => void (process.stderr.isTTY && process.stderr.write(`\r${text.padEnd(60)}`));

/** Builds a fleet in a database of its own. */
async function makeFleet(url: string, devices: number): Promise<void> {
  await migrateDatabase(url);
  const client = openClient(url, 1);
  try {
    const startedAt = performance.now();
    await growFleet(client, { devices, onProgress: (made) => progress(`${whole(made)} devices`) });
    const sizes = await tableSizes(client);
    say(
      `${whole(devices)} devices made in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s: states ${whole(sizes.states / 1e6)} MB, places ${whole(sizes.places / 1e6)} MB with indexes.`,
    );
  } finally {
    await client.end({ timeout: 5 });
  }
}

async function compareIngest(urls: { small: string; large: string }, settings: Settings): Promise<number> {
  const { frames, inFlight } = settings;
  say(`\nIngest, ${whole(frames)} frames a measurement, ${whole(inFlight)} in flight:`);
  const fleets = {
    small: openIngestBench(urls.small, { devices: SMALL, inFlight }),
    large: openIngestBench(urls.large, { devices: settings.devices, inFlight }),
  };
  try {
    for (const fleet of [fleets.small, fleets.large]) await fleet.warm(settings.devices);
    return await compareRounds(fleets, settings);
  } finally {
    for (const fleet of [fleets.small, fleets.large]) await fleet.close();
  }
}

async function compareRounds(
  fleets: Readonly<Record<"small" | "large", IngestBench>>,
  settings: Settings,
): Promise<number> {
  say("  round  small fleet/s  large fleet/s  ratio  HOT updates  WAL bytes/frame (small, large)");
  const rounds: { small: IngestFigures; large: IngestFigures }[] = [];
  for (let round = 1; round <= settings.rounds; round++) {
    // The one that goes first meets a colder machine: they change places.
    const order = round % 2 === 1 ? (["small", "large"] as const) : (["large", "small"] as const);
    const figures: Partial<Record<"small" | "large", IngestFigures>> = {};
    for (const size of order) figures[size] = await fleets[size].measure(settings.frames, round);
    const { small, large } = figures;
    if (small === undefined || large === undefined) throw new Error("Bug: a fleet was not measured.");
    rounds.push({ small, large });
    say(
      `  ${String(round).padStart(5)}  ${whole(small.framesPerSecond).padStart(13)}  ${whole(large.framesPerSecond).padStart(13)}  ${(large.framesPerSecond / small.framesPerSecond).toFixed(2).padStart(5)}  ` +
        `${(large.hotShare * 100).toFixed(0).padStart(10)}%  ${whole(small.walBytesPerFrame)}, ${whole(large.walBytesPerFrame)}`,
    );
  }
  return median(rounds.map(({ small, large }) => large.framesPerSecond / small.framesPerSecond));
}

function saySlowest(figures: readonly QueryFigures[], title = "The fleet screen"): number {
  say(`\n${`${title} (ms):`.padEnd(59)}     p50     p95    rows`);
  for (const { name, p50Ms, p95Ms, rows } of figures)
    say(
      `  ${name.padEnd(56)} ${p50Ms.toFixed(1).padStart(7)} ${p95Ms.toFixed(1).padStart(7)} ${String(rows).padStart(7)}`,
    );
  return Math.max(...figures.map(({ p95Ms }) => p95Ms));
}

/** The report on the whole fleet; true where it meets its bar. */
async function reportOf(database: Database, settings: Settings): Promise<boolean> {
  const client = openClient(database.url, 1);
  try {
    await fillReport(client, settings.devices);
  } finally {
    await client.end({ timeout: 5 });
  }
  const slowest = saySlowest(
    await measureReport(database, { clock: systemClock, ...settings }),
    `The report, ${String(COMMANDS_A_DEVICE)} commands a device in 60 days`,
  );
  const isMet = slowest < BAR_REPORT_MS;
  say(`${isMet ? "PASS" : "FAIL"}: the report on the whole fleet ${slowest.toFixed(0)} ms (bar ${BAR_REPORT_MS})`);
  return isMet;
}

async function runBench(settings: Settings, urls: { small: string; large: string }): Promise<number> {
  if (!settings.isReportOnly) await makeFleet(urls.small, SMALL);
  await makeFleet(urls.large, settings.devices);
  const database = openDatabase({ url: urls.large, connectionsMax: 4 });
  try {
    const isReportQuick = await reportOf(database, settings);
    if (settings.isReportOnly) return isReportQuick ? 0 : 1;
    const rounds = await measureRounds(database, { clock: systemClock, onProgress: progress });
    say(
      `\nAlerts: a first round over ${whole(rounds.ranges)} ranges took ${(rounds.firstMs / 1_000).toFixed(1)} s and raised ${whole(rounds.alerts)} alerts; a round after it ${(rounds.nextMs / 1_000).toFixed(1)} s ` +
        `(${(rounds.nextMs / rounds.ranges).toFixed(0)} ms a range; due every ${rounds.periodSeconds} s, so ${((rounds.nextMs / 1_000 / rounds.periodSeconds) * 100).toFixed(1)} % of one worker); grouping ${rounds.groupMs.toFixed(0)} ms; map ${(rounds.tilesMs / 1_000).toFixed(1)} s every 10 minutes.`,
    );
    const slowest = saySlowest(await measureScreen(database, { clock: systemClock, ...settings }));
    const ratio = await compareIngest(urls, settings);
    const behind = saySlowest(await measureScreen(database, { clock: systemClock, ...settings }));
    say(
      `\n${slowest < BAR_SCREEN_MS ? "PASS" : "FAIL"}: slowest query of the fleet screen ${slowest.toFixed(0)} ms (bar ${BAR_SCREEN_MS})`,
    );
    say(
      `${behind < BAR_SCREEN_MS ? "PASS" : "FAIL"}: the same after the updates of ingest ${behind.toFixed(0)} ms (bar ${BAR_SCREEN_MS})`,
    );
    say(
      `${ratio >= BAR_INGEST ? "PASS" : "FAIL"}: ingest with ${whole(settings.devices)} devices ÷ with ${whole(SMALL)} = ${ratio.toFixed(2)} (bar ${BAR_INGEST})`,
    );
    return slowest < BAR_SCREEN_MS && behind < BAR_SCREEN_MS && ratio >= BAR_INGEST && isReportQuick ? 0 : 1;
  } finally {
    await database.close();
  }
}

async function main(): Promise<number> {
  const settings = readSettings();
  if (settings === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const flags = ["shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=15min", "jit=off"];
  return await withPostgres(flags, async (postgres) =>
    runBench(settings, {
      small: await requireDatabase(postgres.current(), "washa_small"),
      large: await requireDatabase(postgres.current(), "washa_large"),
    }),
  );
}

await runProgram(main);
