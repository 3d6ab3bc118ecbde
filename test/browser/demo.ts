import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const UP_WITHIN_MS = 90_000;

export interface Demo {
  /** Its address, without a slash at the end. */
  readonly url: string;
  stop(): Promise<void>;
}

/** `npm start` as a newcomer has it: embedded everything, in a folder of its own, on ports that were free. */
export async function startDemo(): Promise<Demo> {
  const folder = mkdtempSync(join(tmpdir(), "washa-demo-"));
  const { DATABASE_URL: _database, REDIS_URL: _redis, NODE_ENV: _env, ...inherited } = process.env;
  const env = { ...inherited, WASHA_DATA: folder, WASHA_HTTP_PORT: "0", WASHA_MQTT_PORT: "0" };
  const program = spawn(process.execPath, ["src/main.ts", "demo"], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  const exited = once(program, "exit");
  createInterface({ input: program.stderr }).on("line", (line) => said.push(line));
  const up = new Promise<string>((resolve, reject) => {
    let url: string | undefined;
    createInterface({ input: program.stdout }).on("line", (line) => {
      said.push(line);
      url ??= /(http:\S+)\/simulator\b/.exec(line)?.[1];
      if (url !== undefined && line.includes("Ctrl-C stops it")) resolve(url);
    });
    program.once("exit", () => reject(new Error(`The demonstration ended:\n${said.join("\n")}`)));
    setTimeout(() => reject(new Error(`The demonstration is not up:\n${said.join("\n")}`)), UP_WITHIN_MS).unref();
  });
  async function stop(): Promise<void> {
    if (program.exitCode === null) program.kill("SIGINT");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  }
  try {
    return { url: await up, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
