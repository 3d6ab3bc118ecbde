/** Kills gateways, PostgreSQL, the follower and the engine of history while devices report, and then looks for every reading. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deriveCredentials, fleetDevicesCsv, type Credentials } from "../../../simulators/fleet/credentials.ts";
import { buildApp } from "../../../src/app.ts";
import { parseConfig } from "../../../src/config.ts";
import { migrateDatabase } from "../../../src/platform/database.ts";
import { requireDatabase } from "../../../src/platform/embedded-postgres.ts";
import { openHistory } from "../../../src/platform/history/history.ts";
import { readOptions, wholeOption, WrongUse } from "../../support/command-line.ts";
import { makeChance } from "../chance.ts";
import { programEnvironment } from "../program.ts";
import type { Check } from "../reconcile.ts";
import { startServer, type Server } from "../server.ts";
import { startBalancer } from "./balancer.ts";
import { compare } from "./compare.ts";
import { startFleetLoad, untilLoad, type FleetLoad } from "./fleet-load.ts";
import { countBehind, readFound } from "./found.ts";
import { runAgainstMosquitto } from "./mosquitto.ts";
import { findBlindSpots } from "./planted-faults.ts";
import {
  drawVictims,
  fillPlaces,
  freePort,
  kill,
  pause,
  untilAllReady,
  VICTIMS,
  type Place,
  type Stage,
  type Victim,
} from "./stage.ts";

const HELP = `Kills gateways, PostgreSQL, history's follower and its engine with SIGKILL at random moments while a simulated fleet reports over MQTT,
starts them again, and at the end looks for every reading that a device got an acknowledgement for.

Usage: npm run test:crash -- --ingest [--kills N] [--seed N] [--devices N] [--gateways N] [--against mosquitto]

  --kills N             how many kills (100); of ten, four hit a gateway, two the program that holds gateway and follower, two history's
                        engine, two PostgreSQL
  --seed N              draws the victims, the moments, the devices and their bad month (random); the same seed draws the same ones,
                        though what the machine was doing at that moment can differ
  --devices N           devices that report, each up to four times a second (100)
  --gateways N          programs with a gateway behind one TCP address, 2 or more (2)
  --against mosquitto   the same devices on Debian's Mosquitto with its defaults, and a consumer that commits what it hears: counts
                        what an acknowledgement was worth there, and prints the table of the README
  --keep                leave the database folder behind
  --help                this text

Exit code 1 when an acknowledged reading is lost, doubled or missing in history or its sums, or any other promise is broken;
with --against, only when the run itself failed.
`;

const LOAD_BETWEEN_KILLS = 40;
const LOAD_TIMEOUT_MS = 60_000;
const QUIET_TIMEOUT_MS = 240_000;
const BROKEN_SHOWN_MAX = 5;

/** The run for these arguments. Answers the exit code. */
export async function crashIngest(options: readonly string[]): Promise<number> {
  const values = readOptions(
    {
      ingest: { type: "boolean" },
      kills: { type: "string" },
      seed: { type: "string" },
      devices: { type: "string" },
      gateways: { type: "string" },
      against: { type: "string" },
      keep: { type: "boolean" },
      help: { type: "boolean" },
    },
    options,
  );
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const kills = wholeOption("kills", values.kills, { fallback: 100, least: 1 });
  const seed = wholeOption("seed", values.seed, { fallback: Math.floor(Math.random() * 1_000_000) });
  const devices = wholeOption("devices", values.devices, { fallback: 100, least: 1 });
  // The address must outlive each of them.
  const gateways = wholeOption("gateways", values.gateways, { fallback: 2, least: 2 });
  if (values.against !== undefined && values.against !== "mosquitto")
    throw new WrongUse("--against knows mosquitto only.");
  const again = `npm run test:crash -- --ingest --kills ${kills} --seed ${seed} --devices ${devices}`;
  process.stdout.write(`Seed ${seed}: ${kills} kills. The same again: ${again}\n`);
  if (values.against === "mosquitto") return await runAgainstMosquitto({ kills, seed, devices });
  return await run({ kills, seed, devices, gateways, keeps: values.keep === true });
}

interface Settings {
  readonly kills: number;
  readonly seed: number;
  readonly devices: number;
  readonly gateways: number;
  readonly keeps: boolean;
}

async function run(settings: Settings): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "washa-crash-ingest-"));
  // PostgreSQL runs as another user, who could not look into our folder.
  const postgresFolder = mkdtempSync(join(tmpdir(), "washa-crash-postgres-"));
  const server = await startServer({ folder: postgresFolder });
  const closers: (() => Promise<void>)[] = [() => server.stop()];
  async function clear(): Promise<void> {
    for (const close of closers.toReversed()) await close();
    if (settings.keeps) process.stdout.write(`PostgreSQL is left in ${postgresFolder}, history in ${folder}.\n`);
    else for (const one of [folder, postgresFolder]) rmSync(one, { recursive: true, force: true });
  }
  // PostgreSQL stands in a process group of its own: a Ctrl-C that only ended us would leave it behind.
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => void clear().finally(() => process.exit(130)));
  try {
    return await runOn(server, { ...settings, folder, closers });
  } finally {
    await clear();
  }
}

async function runOn(
  server: Server,
  { kills, seed, devices, gateways, folder, closers }: Settings & { folder: string; closers: (() => Promise<void>)[] },
): Promise<number> {
  const startedAt = performance.now();
  const databaseUrl = await requireDatabase(server.current, "washa");
  await migrateDatabase(databaseUrl);
  const dataFolder = join(folder, "data");
  const places = await Promise.all(
    Array.from({ length: gateways }, (_, at) => makePlace({ at, databaseUrl, dataFolder })),
  );
  const [first, ...others] = places;
  if (first === undefined) throw new Error("A run needs programs.");
  const stage: Stage = { server, databaseUrl, places: [first, ...others], falls: [], startsInVain: 0 };
  closers.push(async () => {
    for (const { running } of places) await running?.kill();
  });
  const credentials = await provision(first.environment, { seed, devices });
  const balancer = await startBalancer(() => places.map(({ mqttPort }) => mqttPort));
  closers.push(() => balancer.stop());
  await untilAllReady(stage);
  const load = startFleetLoad({ port: balancer.port, seed, devices: credentials, kills });
  closers.push(() => load.fleet.stop());

  const done = await killAndStart(stage, { load, kills, seed });
  const isLoadOver = load.isOver();
  await untilAllReady(stage);
  await untilLoad(load, LOAD_BETWEEN_KILLS, LOAD_TIMEOUT_MS);
  const counts = load.fleet.counts();
  const told = await load.stop();
  await untilQuiet(stage);
  const history = openHistory({ folder: join(dataFolder, "history"), owns: false });
  const found = await readFound(databaseUrl, history);
  await history.close();
  const codes = await Promise.all(places.map(async ({ running }) => (await running?.stop()) ?? null));
  const checks: readonly Check[] = [
    ...compare(found, told),
    {
      promise: "every kill fell while devices reported",
      checked: kills,
      broken: isLoadOver ? ["the month was over"] : done.idle,
    },
    { promise: "a program ends only when it is killed", checked: kills, broken: stage.falls },
    {
      promise: "a program that is asked to stop ends with success",
      checked: codes.length,
      broken: codes.filter((code) => code !== 0).map((code) => `exit code ${String(code)}`),
    },
  ];
  report(checks);
  const { planted, unnoticed } = findBlindSpots(found, told);
  const killed = VICTIMS.map((victim) => `${String(done.killed[victim])} ${victim}`).join(", ");
  process.stdout.write(
    `\n${kills} kills (${killed}; ${done.onItsWay} of them while readings were on their way to history) in ${Math.round((performance.now() - startedAt) / 1000)} s, seed ${seed}; ${stage.startsInVain} starts met no database.\n` +
      `${devices} devices: ${counts.measured} readings measured, ${counts.acknowledgedReadings} acknowledged (${told.acknowledged.size} of them by clocks that were right), ${counts.resent} messages sent again, ${counts.connectionsLost} connections lost.\n` +
      `${found.readings.length} readings in PostgreSQL, ${found.history.length} in history, in ${found.hours.length} hours and ${found.days.length} days.\n` +
      `The checks noticed ${planted - unnoticed.length} of ${planted} faults planted in copies of what was found${unnoticed.length === 0 ? "" : `, but not ${unnoticed.join(", ")}`}.\n` +
      `${lostOf(checks)} acknowledged readings lost.\n`,
  );
  return checks.every(({ broken }) => broken.length === 0) && unnoticed.length === 0 ? 0 : 1;
}

async function makePlace({
  at,
  databaseUrl,
  dataFolder,
}: {
  at: number;
  databaseUrl: string;
  dataFolder: string;
}): Promise<Place> {
  const mqttPort = await freePort();
  // Nobody pays and nothing is sent in this run: rails and SMS lead nowhere.
  const environment = programEnvironment({
    databaseUrl,
    httpPort: await freePort(),
    smsUrl: "http://127.0.0.1:9",
    railsFile: "",
  });
  return {
    roles: at === 0 ? "api,gateway,history" : "api,gateway",
    environment: { ...environment, WASHA_MQTT_PORT: String(mqttPort), WASHA_DATA: dataFolder },
    mqttPort,
    running: undefined,
  };
}

/** Makes the devices ours and gives each its password, through the modules' own faces, before any process of the run starts. */
async function provision(
  environment: Record<string, string>,
  { seed, devices }: { seed: number; devices: number },
): Promise<readonly Credentials[]> {
  const known = Array.from({ length: devices }, (_, at) => deriveCredentials(seed, at));
  const app = await buildApp({ config: parseConfig(environment), roles: [] });
  try {
    return await app.database.db.transaction(async (tx) => {
      await app.devices.importCsv(tx, fleetDevicesCsv(known));
      const act = { serials: known.map(({ serial }) => serial), actor: "crash", reason: "crash run" };
      const passwords = new Map(
        (await app.credentials.provision(tx, act)).map((given) => [given.serial, given.password]),
      );
      return known.map((device) => ({ ...device, password: passwords.get(device.serial) ?? "" }));
    });
  } finally {
    await app.stop();
  }
}

async function killAndStart(
  stage: Stage,
  { load, kills, seed }: { load: FleetLoad; kills: number; seed: number },
): Promise<{ killed: Record<Victim, number>; onItsWay: number; idle: readonly string[] }> {
  const chance = makeChance(seed);
  const killed: Record<Victim, number> = { gateway: 0, follower: 0, engine: 0, postgres: 0 };
  const idle: string[] = [];
  let onItsWay = 0;
  for (const [at, victim] of drawVictims(chance, kills).entries()) {
    const isEarly = chance.happens(0.15);
    const moment = chance.below(isEarly ? 1_500 : 700);
    fillPlaces(stage);
    if (!isEarly) {
      await untilAllReady(stage);
      if (!(await untilLoad(load, LOAD_BETWEEN_KILLS, LOAD_TIMEOUT_MS)))
        idle.push(`before kill ${String(at + 1)} nothing was acknowledged for ${String(LOAD_TIMEOUT_MS / 1_000)} s`);
    }
    await pause(moment);
    if (await kill(stage, victim, chance)) onItsWay += 1;
    killed[victim] += 1;
    const text = `${at + 1} of ${kills} kills, ${load.acknowledgements()} readings acknowledged`;
    if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(80)}`);
    else if ((at + 1) % 10 === 0) process.stdout.write(`${text}\n`);
  }
  return { killed, onItsWay, idle };
}

/** Until gateways wrote what they held and the follower has copied all of it: the same answer twice, a second apart. */
async function untilQuiet(stage: Stage): Promise<void> {
  const until = performance.now() + QUIET_TIMEOUT_MS;
  for (let quiet = 0; quiet < 3 && performance.now() < until;) {
    await untilAllReady(stage);
    const behind = await countBehind(stage.databaseUrl);
    quiet = behind === 0 ? quiet + 1 : 0;
    if (process.stderr.isTTY) process.stderr.write(`\r${`settling: ${behind} readings wait for history`.padEnd(80)}`);
    await pause(1_000);
  }
  if (process.stderr.isTTY) process.stderr.write("\r".padEnd(81) + "\r");
}

function report(checks: readonly Check[]): void {
  for (const { promise, checked, broken } of checks) {
    process.stdout.write(
      `${broken.length === 0 ? "ok    " : "BROKEN"}  ${String(checked).padStart(7)}  ${promise}${broken.length === 0 ? "" : ` (${broken.length} times)`}\n`,
    );
    for (const text of broken.slice(0, BROKEN_SHOWN_MAX)) process.stdout.write(`                   ${text}\n`);
  }
}

const lostOf = (checks: readonly Check[]): number =>
  checks
    .filter(({ promise }) => promise.startsWith("each acknowledged reading"))
    .reduce((most, { broken }) => Math.max(most, broken.length), 0);
