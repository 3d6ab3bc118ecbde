/**
 * How many frames a second become committed and acknowledged readings, against what a plain broker hands to somebody who stores
 * nothing: `npm run bench:ingest`.
 */
import { cpus } from "node:os";
import { makeDevices } from "../src/devices/devices.ts";
import { makeKeySeal } from "../src/devices/key-seal.ts";
import { makeIds } from "../src/kernel/ids.ts";
import { systemClock } from "../src/kernel/time.ts";
import { migrateDatabase, openClient, openDatabase } from "../src/platform/database.ts";
import { requireDatabase } from "../src/platform/embedded-postgres.ts";
import { makeDataFormats } from "../src/telemetry/telemetry.ts";
import { readOptions, runProgram, WrongUse } from "../test/support/command-line.ts";
import { withPostgres } from "./run.ts";
import { startBroker, type Broker } from "./ingest/broker.ts";
import { HISTORY_FORMAT, HISTORY_ROWS, serialOf, SINGLE_BYTES } from "./ingest/frames.ts";
import {
  LARGE_DEVICES,
  measureBehindBroker,
  measureOurs,
  measureOutage,
  SMALL_DEVICES,
  type Figures,
  type Place,
} from "./ingest/measures.ts";

const BAR_RATIO = 1.3;
const BAR_P99_MS = 20;
const BAR_READINGS = 300_000;
const BAR_GROWTH_BYTES = 128e6;
const STEADY_RATE = 5_000;
const OUTAGE_DEVICES = 1_000;

const HELP = `Frames a second from publish to committed and acknowledged, through our gateway on one embedded PostgreSQL with durable commits.

Usage: npm run bench:ingest -- [--seconds N] [--rounds N] [--publishers N,N] [--outage N] [--lanes N] [--quick]

  --seconds N       length of each measurement, after a second and a half of warming (8)
  --rounds N        turns of ours and Mosquitto's at 100 publishers; the ratio is the median of theirs (3)
  --publishers N,N  numbers of devices that publish at once (1,100,1000,10000)
  --outage N        seconds without PostgreSQL (60); 0 leaves that out
  --lanes N         connections by which each of our gateways writes (1)
  --gateways N      processes of our gateway that share one port (as many as cores, two at most)
  --quick           two seconds, one round, 1 and 100 publishers, an outage of five seconds: to see that it runs
  --help            this text

Frames are JSON of OpenPAYGO Metrics with ${SINGLE_BYTES} bytes and one reading, QoS 1; those of the history measurement have ${HISTORY_ROWS} rows in a registered format.
Beside it in the same run, where Mosquitto is installed (its queues without limits, nothing persistent):
Our gateway runs in as many processes as that needs beside its subscriber; one process alone is measured too.
  idle      Mosquitto hands the same frames to one mqtt.js subscriber that counts them: the field's ceiling without storing anything
  each      the subscriber commits each message before it acknowledges it: what people write
  deferred  our ingest behind Mosquitto, acknowledging to it after the group commit; Mosquitto has told the device long before
Bars: ours ÷ idle at 100 publishers ≥ ${BAR_RATIO}; p99 of the acknowledgement at a steady ${STEADY_RATE} a second < ${BAR_P99_MS} ms; readings of history
frames ≥ ${BAR_READINGS} a second; memory during the outage at most ${BAR_GROWTH_BYTES / 1e6} MB above that under load, and no acknowledged reading
missing after it. Exit code 1 when one is missed.
`;

interface Settings {
  readonly seconds: number;
  readonly rounds: number;
  readonly publishers: readonly number[];
  readonly outage: number;
  readonly lanes: number;
  readonly gateways: number;
}

function readSettings(): Settings | undefined {
  const text = { type: "string" } as const;
  const values = readOptions({
    seconds: text,
    rounds: text,
    publishers: text,
    outage: text,
    lanes: { ...text, default: "1" },
    gateways: { ...text, default: String(Math.min(2, cpus().length)) },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  });
  if (values.help) return undefined;
  const whole = (name: string, given: string, least = 1): number => {
    if (!/^\d{1,5}$/.test(given) || Number(given) < least)
      throw new WrongUse(`--${name} takes a whole number from ${String(least)} on. See --help.`);
    return Number(given);
  };
  const { quick } = values;
  const publishers = (values.publishers ?? (quick ? "1,100" : "1,100,1000,10000"))
    .split(",")
    .map((one) => whole("publishers", one.trim()));
  if (Math.max(...publishers) > LARGE_DEVICES)
    throw new WrongUse(`--publishers go up to ${String(LARGE_DEVICES)}, one connection each.`);
  return {
    seconds: whole("seconds", values.seconds ?? (quick ? "2" : "8")),
    rounds: whole("rounds", values.rounds ?? (quick ? "1" : "3")),
    publishers,
    outage: whole("outage", values.outage ?? (quick ? "5" : "60"), 0),
    lanes: whole("lanes", values.lanes),
    gateways: whole("gateways", values.gateways),
  };
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0;
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
const whole = (value: number): string => Math.round(value).toLocaleString("en");
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const progress = (text: string): void =>
  void (process.stderr.isTTY ? process.stderr.write(`\r\x1b[2K${text}`) : undefined);

function sayFigures(
  name: string,
  { perSecond, cores, framesInGroup, commitMs, rssBytes, rssIdleBytes }: Figures,
): void {
  progress("");
  const split = Object.entries(cores)
    .map(([part, share]) => `${part} ${share.toFixed(2)}`)
    .join(", ");
  const groups =
    framesInGroup > 0
      ? `; ${whole(framesInGroup)} a commit of ${commitMs.toFixed(1)} ms; ${whole(rssBytes / 1e6)} MB, ${whole(rssIdleBytes / 1e6)} before`
      : "";
  say(`  ${name.padEnd(26)} ${whole(perSecond).padStart(9)} a second   cores: ${split}${groups}`);
}

const nameOf = (gateways: number): string =>
  gateways === 1 ? "our gateway" : `our gateway, ${String(gateways)} processes`;

async function seed(databaseUrl: string, sealingKeyHex: string): Promise<number> {
  const database = openDatabase({ url: databaseUrl, connectionsMax: 2 });
  const clock = systemClock;
  const devices = makeDevices({
    clock,
    makeId: makeIds(clock),
    keySeal: makeKeySeal(Buffer.from(sealingKeyHex, "hex")),
  });
  const step = 2_500;
  for (let from = 0; from < LARGE_DEVICES + SMALL_DEVICES; from += step) {
    progress(`${whole(from)} devices …`);
    const lines = Array.from({ length: step }, (_, at) => `${serialOf(from + at)},${"ab".repeat(16)},1`);
    await database.db.transaction((tx) => devices.importCsv(tx, `Serial Number,Key,Count\n${lines.join("\n")}\n`));
  }
  const formatId = await makeDataFormats({ database, clock }).register(HISTORY_FORMAT);
  await database.close();
  return formatId;
}

interface Bar {
  readonly text: string;
  readonly isMet: boolean;
}

async function measureFrames(
  place: Place,
  { settings, broker }: { settings: Settings; broker: Broker | undefined },
): Promise<readonly Bar[]> {
  const bars: Bar[] = [];
  for (const devices of settings.publishers) {
    say(`\n${whole(devices)} ${devices === 1 ? "publisher" : "publishers"}, ${SINGLE_BYTES} bytes:`);
    const ratios: number[] = [];
    const rounds = devices === 100 ? settings.rounds : 1;
    for (let round = 0; round < rounds; round++) {
      progress(`ours, round ${String(round + 1)} of ${String(rounds)} …`);
      const ours = await measureOurs(place, { devices });
      sayFigures(nameOf(settings.gateways), ours);
      if (broker === undefined) continue;
      progress("Mosquitto …");
      const idle = await measureBehindBroker(place, { devices, broker: await broker.fresh(), how: "idle" });
      sayFigures("Mosquitto, idle", idle);
      ratios.push(ours.perSecond / idle.perSecond);
    }
    if (ratios.length > 0) say(`  ours ÷ idle Mosquitto: ${median(ratios).toFixed(2)}`);
    if (settings.gateways > 1 && devices === 100)
      sayFigures(nameOf(1), await measureOurs(place, { devices, gateways: 1 }));
    if (devices !== 100 || broker === undefined) continue;
    bars.push({
      text: `ours ÷ idle Mosquitto at 100 publishers = ${median(ratios).toFixed(2)} (bar ${String(BAR_RATIO)})`,
      isMet: median(ratios) >= BAR_RATIO,
    });
    for (const how of ["deferred", "each"] as const) {
      progress(`${how} …`);
      sayFigures(`Mosquitto, ${how}`, await measureBehindBroker(place, { devices, broker: await broker.fresh(), how }));
    }
  }
  return bars;
}

/** Through as many processes as everything else; one alone stands beside, since such a rate needs no more. */
async function measureSteady(place: Place): Promise<Bar> {
  say(`\nSteady ${whole(STEADY_RATE)} a second from 1,000 devices:`);
  const { p99, perSecond } = await steadyThrough(place, place.gateways);
  if (place.gateways > 1) await steadyThrough(place, 1);
  return {
    text: `acknowledgement p99 = ${p99.toFixed(1)} ms at ${whole(STEADY_RATE)} a second (bar ${String(BAR_P99_MS)} ms)`,
    isMet: p99 < BAR_P99_MS && perSecond > STEADY_RATE * 0.95,
  };
}

async function steadyThrough(place: Place, gateways: number): Promise<{ p99: number; perSecond: number }> {
  progress(`steady ${whole(STEADY_RATE)} a second …`);
  const { latenciesMs, perSecond } = await measureOurs(place, { devices: 1_000, rate: STEADY_RATE, gateways });
  progress("");
  const at = (share: number): string => quantile(latenciesMs, share).toFixed(1);
  say(
    `  ${nameOf(gateways).padEnd(26)} ${whole(perSecond).padStart(9)} a second   acknowledged after p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms`,
  );
  return { p99: quantile(latenciesMs, 0.99), perSecond };
}

async function measureHistory(place: Place): Promise<Bar> {
  say(`\n100 publishers, ${String(HISTORY_ROWS)} rows of history a frame:`);
  progress("history …");
  const figures = await measureOurs(place, { devices: 100, kind: "history" });
  sayFigures(nameOf(place.gateways), figures);
  say(`  ${whole(figures.readingsPerSecond)} readings a second`);
  return {
    text: `readings of history frames = ${whole(figures.readingsPerSecond)} a second (bar ${whole(BAR_READINGS)})`,
    isMet: figures.readingsPerSecond >= BAR_READINGS,
  };
}

async function runBench(
  settings: Settings,
  postgres: { url: string; id(): number; stop(): Promise<void>; start(): Promise<void> },
): Promise<number> {
  const sealingKeyHex = "11".repeat(32);
  const formatId = await seed(postgres.url, sealingKeyHex);
  const client = openClient(postgres.url, 1);
  await client`select telemetry.ensure_days(current_date - 40, current_date + 1)`;
  await client.end();
  const broker = await startBroker();
  const place: Place = {
    databaseUrl: postgres.url,
    sealingKeyHex,
    formatId,
    postgresId: postgres.id,
    lanes: settings.lanes,
    gateways: settings.gateways,
    seconds: settings.seconds,
  };
  progress("");
  say(
    `${String(cpus().length)} cores; ${String(settings.lanes)} writing ${settings.lanes === 1 ? "connection" : "connections"}; durable commits.`,
  );
  if (broker === undefined) say("Mosquitto is not installed here: what is measured against it is left out.");
  try {
    const bars = [
      ...(await measureFrames(place, { settings, broker })),
      await measureSteady(place),
      await measureHistory(place),
    ];
    if (settings.outage > 0) bars.push(await outage(place, { settings, postgres }));
    say("");
    for (const { text, isMet } of bars) say(`${isMet ? "PASS" : "FAIL"}: ${text}`);
    return bars.every(({ isMet }) => isMet) ? 0 : 1;
  } finally {
    await broker?.stop();
  }
}

async function outage(
  place: Place,
  {
    settings,
    postgres,
  }: { settings: Settings; postgres: { url: string; stop(): Promise<void>; start(): Promise<void> } },
): Promise<Bar> {
  say(
    `\n${String(settings.outage)} seconds without PostgreSQL, ${whole(OUTAGE_DEVICES)} devices with 100 frames in flight each:`,
  );
  const figures = await measureOutage(place, {
    devices: OUTAGE_DEVICES,
    seconds: settings.outage,
    stopPostgres: postgres.stop,
    startPostgres: postgres.start,
    progress,
    async countReadings({ first, last, fromSeconds }) {
      const client = openClient(postgres.url, 1);
      const [row] = await client`
        select count(*)::int as count from telemetry.readings r join devices.devices d on d.number = r.device
        where d.serial between ${first} and ${last} and r.at > to_timestamp(${fromSeconds})`;
      await client.end();
      return Number(row?.["count"]);
    },
  });
  progress("");
  const growth = figures.rssMostBytes - figures.rssBeforeBytes;
  say(
    `  memory ${(figures.rssBeforeBytes / 1e6).toFixed(0)} MB under load, at most ${(figures.rssMostBytes / 1e6).toFixed(0)} MB without it; ${whole(figures.inFlightMost)} frames in flight at most`,
  );
  say(`  ${whole(figures.acknowledged)} frames acknowledged in all, ${whole(figures.stored)} readings stored`);
  return {
    text: `without PostgreSQL memory grew by ${(growth / 1e6).toFixed(0)} MB (bar ${String(BAR_GROWTH_BYTES / 1e6)} MB), ${whole(Math.max(0, figures.acknowledged - figures.stored))} acknowledged readings are missing`,
    isMet: growth <= BAR_GROWTH_BYTES && figures.stored >= figures.acknowledged,
  };
}

async function main(): Promise<number> {
  const settings = readSettings();
  if (settings === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  return await withPostgres(["shared_buffers=512MB", "max_wal_size=4GB"], async (postgres) => {
    const url = await requireDatabase(postgres.current(), "washa");
    const port = Number(new URL(url).port);
    await migrateDatabase(url);
    return await runBench(settings, {
      url,
      id: () => postgres.current().processId ?? 0,
      stop: () => postgres.stop(),
      start: () => postgres.start(port),
    });
  });
}

await runProgram(main);
