/** The same devices on Mosquitto as Debian ships it, with a consumer as people write it: what was an acknowledgement worth? */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deriveCredentials } from "../../../simulators/fleet/credentials.ts";
import { openClient } from "../../../src/platform/database.ts";
import { requireDatabase } from "../../../src/platform/embedded-postgres.ts";
import { findMosquittoParts, makeMosquitto, type OwnMosquitto } from "../../support/mosquitto.ts";
import { makeChance } from "../chance.ts";
import { startServer, type Server } from "../server.ts";
import { startFleetLoad, untilLoad } from "./fleet-load.ts";
import { pause } from "./stage.ts";

/** Debian's mosquitto.conf says persistence and its place; the rest is what the program does when nothing is said. */
const DEBIAN_DEFAULTS = ["allow_anonymous true", "persistence true", "persistence_location {folder}/"];

type Target = "consumer" | "broker" | "postgres";
type Targets = readonly [Target, ...Target[]];
const TRIALS: readonly { readonly name: string; readonly targets: Targets | undefined }[] = [
  // The control: without a death nothing may be lost, or what is measured below is a mistake of this run.
  { name: "nobody", targets: undefined },
  { name: "the consumer", targets: ["consumer"] },
  { name: "Mosquitto", targets: ["broker"] },
  { name: "PostgreSQL", targets: ["postgres"] },
  { name: "any of them", targets: ["consumer", "broker", "postgres"] },
];

const CONSUMER = fileURLToPath(new URL("consumer.ts", import.meta.url));
const LOAD_BETWEEN_KILLS = 40;
const TIMEOUT_MS = 60_000;
const QUIET_MS = 4_000;

interface Outcome {
  readonly name: string;
  readonly kills: number;
  readonly acknowledged: number;
  readonly lost: number;
}

/** Answers the exit code: losses are what is measured here, so they are no failure, except where nobody was killed. */
export async function runAgainstMosquitto({
  kills,
  seed,
  devices,
}: {
  kills: number;
  seed: number;
  devices: number;
}): Promise<number> {
  const parts = findMosquittoParts();
  if (parts === undefined) {
    process.stderr.write("Mosquitto is not installed: apt-get install mosquitto.\n");
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), "washa-crash-mosquitto-"));
  const server = await startServer({ folder });
  const clear = async (): Promise<void> => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => void clear().finally(() => process.exit(130)));
  try {
    const outcomes: Outcome[] = [];
    for (const [at, { name, targets }] of TRIALS.entries())
      outcomes.push(
        await attempt({
          name,
          targets,
          kills: targets === undefined ? 0 : kills,
          seed: seed + at,
          devices,
          server,
          program: parts.program,
        }),
      );
    process.stdout.write(tableOf(outcomes));
    const [control] = outcomes;
    return control !== undefined && control.acknowledged > 0 && control.lost === 0 ? 0 : 1;
  } finally {
    await clear();
  }
}

async function attempt({
  name,
  targets,
  kills,
  seed,
  devices,
  server,
  program,
}: {
  name: string;
  targets: Targets | undefined;
  kills: number;
  seed: number;
  devices: number;
  server: Server;
  program: string;
}): Promise<Outcome> {
  const databaseUrl = await requireDatabase(server.current, `heard_${String(seed)}`);
  await inDatabase(
    databaseUrl,
    (client) => client`create table if not exists heard (serial text, at bigint, primary key (serial, at))`,
  );
  const broker = await makeMosquitto(program, DEBIAN_DEFAULTS);
  const consumer = makeConsumer({ mqttUrl: broker.url, databaseUrl });
  try {
    await broker.start();
    await consumer.start();
    const load = startFleetLoad({
      port: Number(new URL(broker.url).port),
      seed,
      devices: Array.from({ length: devices }, (_, at) => deriveCredentials(seed, at)),
      kills,
    });
    try {
      const chance = makeChance(seed);
      for (let kill = 1; kill <= kills; kill++) {
        if (!(await untilLoad(load, LOAD_BETWEEN_KILLS, TIMEOUT_MS)))
          throw new Error("Mosquitto acknowledged nothing for a minute.");
        await pause(chance.below(700));
        if (targets !== undefined)
          await killTarget(chance.pick(targets), { broker, consumer, server, childrenToo: chance.happens(0.5) });
      }
      await untilLoad(load, LOAD_BETWEEN_KILLS * 10, TIMEOUT_MS);
      const told = await load.stop();
      const heard = await untilHeard(databaseUrl);
      const lost = [...told.acknowledged].filter((key) => !heard.has(key)).length;
      process.stdout.write(
        `${kills} kills of ${name}: ${lost} of ${told.acknowledged.size} acknowledged readings lost\n`,
      );
      return { name, kills, acknowledged: told.acknowledged.size, lost };
    } finally {
      await load.fleet.stop();
    }
  } finally {
    await consumer.kill();
    await broker.remove();
  }
}

async function killTarget(
  target: Target,
  {
    broker,
    consumer,
    server,
    childrenToo,
  }: { broker: OwnMosquitto; consumer: Consumer; server: Server; childrenToo: boolean },
): Promise<void> {
  switch (target) {
    case "consumer":
      await consumer.kill();
      return consumer.start();
    case "broker":
      await broker.end("SIGKILL");
      return broker.start();
    case "postgres":
      return server.killAndRestart({ childrenToo });
  }
}

interface Consumer {
  /** Resolves when it has subscribed. */
  start(): Promise<void>;
  kill(): Promise<void>;
}

function makeConsumer({ mqttUrl, databaseUrl }: { mqttUrl: string; databaseUrl: string }): Consumer {
  let running: ChildProcess | undefined;
  return {
    async start() {
      running = fork(CONSUMER, [mqttUrl, databaseUrl], { execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
      await once(running, "message");
    },
    async kill() {
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const gone = once(running, "exit");
      running.kill("SIGKILL");
      await gone;
    },
  };
}

/** What the consumer committed, once nothing is added any more: queues have run dry. */
async function untilHeard(databaseUrl: string): Promise<ReadonlySet<string>> {
  return await inDatabase(databaseUrl, async (client) => {
    const count = async (): Promise<number> =>
      (await client<{ rows: number }[]>`select count(*)::int as rows from heard`)[0]?.rows ?? 0;
    let before = -1;
    for (let now = await count(); now !== before; now = await count()) {
      before = now;
      await pause(QUIET_MS);
    }
    const rows = await client<{ key: string }[]>`select serial || ' ' || at::text as key from heard`;
    return new Set(rows.map(({ key }) => key));
  });
}

async function inDatabase<Result>(
  url: string,
  work: (client: ReturnType<typeof openClient>) => PromiseLike<Result>,
): Promise<Result> {
  const client = openClient(url, 1);
  try {
    return await work(client);
  } finally {
    await client.end({ timeout: 5 });
  }
}

function tableOf(outcomes: readonly Outcome[]): string {
  const lines = outcomes.map(
    ({ name, kills, acknowledged, lost }) =>
      `| ${name} | ${kills} | ${acknowledged} | ${lost} | ${((lost / Math.max(1, acknowledged)) * 100).toFixed(2)} % |`,
  );
  return `\n| Killed at random | Kills | Readings acknowledged to devices | Lost | |\n| --- | ---: | ---: | ---: | ---: |\n${lines.join("\n")}\n`;
}
