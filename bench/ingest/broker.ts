import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A Mosquitto that keeps nothing of one measurement for the next. */
export interface Broker {
  /** A new process with empty queues. */
  fresh(): Promise<{ readonly url: string; readonly processId: number }>;
  stop(): Promise<void>;
}

const PROGRAMS = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"];
/** As fast as it goes: nothing on disk, no limits on queues, and no waiting for fuller packets. */
const LINES = [
  "allow_anonymous true",
  "persistence false",
  "max_inflight_messages 0",
  "max_queued_messages 0",
  "set_tcp_nodelay true",
  "log_type error",
];

/** Undefined where Mosquitto is not installed. */
export async function startBroker(): Promise<Broker | undefined> {
  const program = PROGRAMS.find((path) => existsSync(path));
  if (program === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "washa-bench-mosquitto-"));
  const config = join(folder, "mosquitto.conf");
  let child: ChildProcess | undefined;
  process.once("exit", () => child?.kill("SIGKILL"));
  async function end(): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const gone = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill("SIGKILL");
    await gone;
  }
  return {
    async fresh() {
      await end();
      const port = await freePort();
      const user = process.getuid?.() === 0 ? ["user root"] : [];
      writeFileSync(config, [`listener ${String(port)} 127.0.0.1`, ...LINES, ...user, ""].join("\n"));
      child = spawn(program, ["-c", config], { stdio: "ignore" });
      for (let tries = 0; !(await answers(port)); tries++) {
        if (tries > 400) throw new Error(`Mosquitto does not start with ${config}.`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      return { url: `mqtt://127.0.0.1:${String(port)}`, processId: child.pid ?? 0 };
    },
    async stop() {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("The system gave no port.");
  return address.port;
}
