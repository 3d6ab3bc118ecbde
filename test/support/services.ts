import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Addresses of the servers a run may use. What is absent was not found, and its tests are skipped by name. */
export type ServiceAddresses = {
  readonly redisUrl?: string;
  readonly mqttUrl?: string;
  readonly clickhouseUrl?: string;
};

/** One server of a run: where it is, or why there is none, and how to end it where this run began it. */
export type FoundService = {
  readonly name: "Redis" | "Mosquitto" | "ClickHouse";
  readonly url?: string;
  /** A sentence for the person reading the run: where it came from, or what was missing. */
  readonly remark: string;
  readonly stop: () => Promise<void>;
};

/** The part of the environment that discovery looks at. */
export type ServiceEnvironment = Readonly<Record<string, string | undefined>>;

const readyWithinMs = 10_000;
const probeWithinMs = 1_000;
const stoppedWithinMs = 5_000;

/**
 * Looks for every outside server the contract suites can use.
 *
 * An address in the environment comes first and is binding: when nothing answers there, this throws instead of quietly
 * testing something else. Then a server of this run's own, on a free port and an empty folder, where the program is
 * installed; last the usual port of this machine.
 */
export async function findServices(environment: ServiceEnvironment): Promise<readonly FoundService[]> {
  const found: FoundService[] = [];
  try {
    found.push(await findRedis(environment));
    found.push(await findMosquitto(environment));
    found.push(await findClickhouse(environment));
    return found;
  } catch (error) {
    await Promise.all(found.map((service) => service.stop()));
    throw error;
  }
}

/** Only the addresses, in the shape the tests receive. */
export function addressesOf(services: readonly FoundService[]): ServiceAddresses {
  const urlOf = (name: FoundService["name"]): string | undefined =>
    services.find((service) => service.name === name)?.url;
  const redisUrl = urlOf("Redis");
  const mqttUrl = urlOf("Mosquitto");
  const clickhouseUrl = urlOf("ClickHouse");
  return {
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(mqttUrl === undefined ? {} : { mqttUrl }),
    ...(clickhouseUrl === undefined ? {} : { clickhouseUrl }),
  };
}

async function findRedis(environment: ServiceEnvironment): Promise<FoundService> {
  const name = "Redis";
  const given = environment["REDIS_URL"];
  if (given !== undefined && given !== "") return await requireAnswer(name, given, 6379);
  const program = findProgram("redis-server", environment);
  if (program !== undefined) return await startRedis(program);
  return await findOnUsualPort(
    name,
    "redis://localhost:6379",
    "redis-server is not installed and REDIS_URL is not set",
  );
}

/** Starts an empty Redis of this run's own. Nothing is written to disk: BullMQ's queues are only the tests' here. */
export async function startRedis(program: string): Promise<FoundService> {
  return await startOwn({
    name: "Redis",
    scheme: "redis",
    program,
    argumentsFor: ({ port, folder }) =>
      [
        ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
        ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"],
      ].flat(),
  });
}

async function findMosquitto(environment: ServiceEnvironment): Promise<FoundService> {
  const name = "Mosquitto";
  const given = environment["MQTT_URL"];
  if (given !== undefined && given !== "") return await requireAnswer(name, given, 1883);
  const program = findProgram("mosquitto", environment);
  if (program !== undefined) return await startMosquitto(program);
  return await findOnUsualPort(name, "mqtt://localhost:1883", "mosquitto is not installed and MQTT_URL is not set");
}

/** Starts a Mosquitto that keeps what it acknowledged, as the one in docker/mosquitto.conf does. */
export async function startMosquitto(program: string): Promise<FoundService> {
  return await startOwn({
    name: "Mosquitto",
    scheme: "mqtt",
    program,
    argumentsFor: ({ port, folder }) => {
      const configPath = join(folder, "mosquitto.conf");
      const lines = [
        `listener ${String(port)} 127.0.0.1`,
        "allow_anonymous true",
        "persistence true",
        `persistence_location ${folder}/`,
        "max_inflight_messages 0",
        "max_queued_messages 0",
        // As root it would become another user, who may not write to this folder.
        ...(process.getuid?.() === 0 ? ["user root"] : []),
      ];
      writeFileSync(configPath, `${lines.join("\n")}\n`);
      return ["-c", configPath];
    },
  });
}

async function findClickhouse(environment: ServiceEnvironment): Promise<FoundService> {
  const given = environment["CLICKHOUSE_URL"];
  if (given === undefined || given === "") {
    return { name: "ClickHouse", remark: "CLICKHOUSE_URL is not set", stop: nothingToStop };
  }
  return await requireAnswer("ClickHouse", given, 8123);
}

type OwnServer = {
  readonly name: FoundService["name"];
  readonly scheme: string;
  readonly program: string;
  readonly argumentsFor: (place: { readonly port: number; readonly folder: string }) => readonly string[];
};

async function startOwn({ name, scheme, program, argumentsFor }: OwnServer): Promise<FoundService> {
  const folder = mkdtempSync(join(tmpdir(), `washa-${name.toLowerCase()}-`));
  const port = await freePort();
  const server = spawn(program, argumentsFor({ port, folder }), { stdio: ["ignore", "pipe", "pipe"] });
  const output: string[] = [];
  server.stdout.on("data", (text: Buffer) => output.push(text.toString()));
  server.stderr.on("data", (text: Buffer) => output.push(text.toString()));
  // Should this process die without its teardown, the server must not outlive it.
  const killAtExit = (): void => void server.kill("SIGKILL");
  process.once("exit", killAtExit);

  const stop = async (): Promise<void> => {
    await endProcess(server);
    process.removeListener("exit", killAtExit);
    rmSync(folder, { recursive: true, force: true });
  };

  if (!(await answersBefore(server, port))) {
    await stop();
    throw new Error(
      `${name} (${program}) did not open port ${String(port)} in ${String(readyWithinMs)} ms:\n${output.join("")}`,
    );
  }
  return { name, url: `${scheme}://127.0.0.1:${String(port)}`, remark: `started for this run from ${program}`, stop };
}

/** True as soon as the port answers; false when the process ends, cannot start, or the time is over. */
async function answersBefore(server: ChildProcess, port: number): Promise<boolean> {
  const ended = new Promise<false>((resolve) => {
    server.once("exit", () => resolve(false));
    server.once("error", () => resolve(false));
  });
  const deadline = performance.now() + readyWithinMs;
  while (performance.now() < deadline && server.exitCode === null) {
    if (await Promise.race([portAnswers("127.0.0.1", port), ended])) return true;
    await Promise.race([new Promise<void>((resolve) => setTimeout(resolve, 25)), ended]);
  }
  return false;
}

async function endProcess(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill("SIGTERM");
  const impatience = setTimeout(() => server.kill("SIGKILL"), stoppedWithinMs);
  await ended;
  clearTimeout(impatience);
}

async function requireAnswer(name: FoundService["name"], url: string, usualPort: number): Promise<FoundService> {
  const { hostname, port } = new URL(url);
  const at = port === "" ? usualPort : Number(port);
  if (!(await portAnswers(hostname, at))) {
    throw new Error(
      `${name} was named as ${hostname}:${String(at)}, but nothing answers there. Start it, or unset its variable.`,
    );
  }
  return { name, url, remark: `given by the environment (${hostname}:${String(at)})`, stop: nothingToStop };
}

async function findOnUsualPort(name: FoundService["name"], url: string, missing: string): Promise<FoundService> {
  const { hostname, port } = new URL(url);
  return (await portAnswers(hostname, Number(port)))
    ? { name, url, remark: `found running on ${hostname}:${port}`, stop: nothingToStop }
    : { name, remark: `${missing}, and nothing answers on ${hostname}:${port}`, stop: nothingToStop };
}

function nothingToStop(): Promise<void> {
  return Promise.resolve();
}

/** Where a program is installed. Daemons live in sbin folders, which an ordinary PATH leaves out. */
function findProgram(program: string, environment: ServiceEnvironment): string | undefined {
  const folders = [
    ...(environment["PATH"] ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/sbin",
  ];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function portAnswers(host: string, port: number): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, timeout: probeWithinMs });
    const answer = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => answer(true));
    socket.once("timeout", () => answer(false));
    socket.once("error", () => answer(false));
  });
}
