import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A Mosquitto of one's own: it may be killed and started again on the same folder and port. */
export interface OwnMosquitto {
  readonly url: string;
  readonly folder: string;
  start(): Promise<void>;
  /** Ends it at once, as a power cut does to a process; SIGTERM lets it write what it holds. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  remove(): Promise<void>;
}

export interface GuardedMosquitto extends OwnMosquitto {
  readonly controlUrl: string;
  /** Forgets accounts and sessions, as after the loss of its disk; while it is not running. */
  reset(): void;
}

const PROGRAMS = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"];
const PLUGINS = [
  "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so",
  "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so",
  "/usr/lib/mosquitto_dynamic_security.so",
  "/opt/homebrew/lib/mosquitto_dynamic_security.so",
];

/** Where the broker and its dynamic-security plugin are installed; undefined where they are not. */
export function findMosquittoParts(): { program: string; plugin: string | undefined } | undefined {
  const program = PROGRAMS.find((path) => existsSync(path));
  return program === undefined ? undefined : { program, plugin: PLUGINS.find((path) => existsSync(path)) };
}

/** Prepares a broker on a free port, with these lines of configuration; `{folder}` in them is its folder. */
export async function makeMosquitto(program: string, lines: readonly string[]): Promise<OwnMosquitto> {
  const folder = mkdtempSync(join(tmpdir(), "washa-mosquitto-"));
  const port = await freePort();
  const config = join(folder, "mosquitto.conf");
  const text = [`listener ${String(port)} 127.0.0.1`, ...lines, ...(process.getuid?.() === 0 ? ["user root"] : [])];
  writeFileSync(config, `${text.join("\n").replaceAll("{folder}", folder)}\n`);
  let running: ChildProcess | undefined;
  const killAtExit = (): void => void running?.kill("SIGKILL");
  process.once("exit", killAtExit);

  async function end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const ending = running;
    running = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const gone = once(ending, "exit");
    ending.kill(signal);
    await gone;
  }
  return {
    url: `mqtt://127.0.0.1:${String(port)}`,
    folder,
    async start() {
      const child = spawn(program, ["-c", config], { stdio: "ignore" });
      running = child;
      for (let tries = 0; !(await answers(port)); tries++) {
        if (tries > 400 || child.exitCode !== null) throw new Error(`Mosquitto does not start with ${config}.`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    end,
    async remove() {
      await end("SIGKILL");
      process.removeListener("exit", killAtExit);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A broker that asks everybody for a password, with a user "admin" who may control who comes in. */
export async function makeGuardedMosquitto(
  { program, plugin }: { program: string; plugin: string },
  lines: readonly string[] = [],
): Promise<GuardedMosquitto> {
  const made = await makeMosquitto(program, [
    "allow_anonymous false",
    `plugin ${plugin}`,
    "plugin_opt_config_file {folder}/dynamic-security.json",
    "persistence true",
    "persistence_location {folder}/",
    "max_inflight_messages 0",
    "max_queued_messages 0",
    ...lines,
  ]);
  const password = "control-password";
  const reset = (): void => {
    const file = join(made.folder, "dynamic-security.json");
    rmSync(file, { force: true });
    rmSync(join(made.folder, "mosquitto.db"), { force: true });
    const initialized = spawnSync("mosquitto_ctrl", ["dynsec", "init", file, "admin", password]);
    if (initialized.status !== 0) throw new Error(`mosquitto_ctrl failed: ${String(initialized.stderr)}`);
  };
  reset();
  return { ...made, reset, controlUrl: made.url.replace("://", `://admin:${password}@`) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("A port is needed.");
  return address.port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
