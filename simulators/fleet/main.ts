/** `washa simulate fleet`: a village of devices, or a country of them, at a terminal. */
import { readFileSync, writeFileSync } from "node:fs";
import { HELP, parseAsked, WrongUse, type Asked } from "./command-line.ts";
import { deriveCredentials, fleetDevicesCsv, parseCredentials, type Credentials } from "./credentials.ts";
import { startFleet, type Fleet } from "./fleet.ts";
import { progressLine, summary } from "./screen.ts";
import { openTruthFile } from "./truth.ts";

interface Terminal {
  readonly output: NodeJS.WritableStream;
  /** Ends the fleet: it says good-bye and writes what is true. */
  readonly signal?: AbortSignal;
}

const DAY_MS = 86_400_000;
const PROGRESS_EVERY_MS = 2_000;

/** Runs until the days are lived or the signal comes. Gives the exit code: 0 done, 1 nobody could connect, 2 wrong use. */
export async function runFleetSimulator(argv: readonly string[], terminal: Terminal): Promise<number> {
  const say = (text: string): void => void terminal.output.write(`${text}\n`);
  try {
    const asked = parseAsked(argv);
    if (asked === undefined) {
      say(HELP.trimEnd());
      return 0;
    }
    if (asked.devicesFile !== undefined) return writeDevices(asked, asked.devicesFile, say);
    return await play(asked, { ...terminal, say });
  } catch (error) {
    if (!(error instanceof WrongUse || error instanceof RangeError)) throw error;
    say(`${error.message} Try --help.`);
    return 2;
  }
}

function writeDevices({ devices, seed }: Asked, file: string, say: (text: string) => void): number {
  const all = Array.from({ length: devices }, (_, at) => deriveCredentials(seed, at));
  // It holds keys, even if only of devices that do not exist.
  writeFileSync(file, fleetDevicesCsv(all, { seed }), { mode: 0o600 });
  say(
    `${String(devices)} devices are in ${file}. Bring them in: washa import devices ${file} --credentials passwords.csv`,
  );
  return 0;
}

function readDevices({ credentialsFile, devices }: Asked): number | readonly Credentials[] {
  if (credentialsFile === undefined) return devices;
  try {
    return parseCredentials(readFileSync(credentialsFile, "utf8")).slice(0, devices);
  } catch (error) {
    if (error instanceof RangeError) throw new WrongUse(`${credentialsFile}: ${error.message}`, { cause: error });
    throw error;
  }
}

function timeOf({ days, startAtMs, speed }: Asked) {
  // Devices tell whole seconds.
  const nowMs = Math.floor(Date.now() / 1_000) * 1_000;
  if (days === undefined) return { startAtMs: nowMs, speed: 1 };
  const lengthMs = Math.floor(days * DAY_MS);
  const firstMs = startAtMs ?? nowMs - lengthMs;
  if (firstMs + lengthMs > nowMs)
    throw new WrongUse(
      "These days end in the future, which no program believes: --start must be --days ago or earlier.",
    );
  return { startAtMs: firstMs, endAtMs: firstMs + lengthMs, speed: speed ?? Number.POSITIVE_INFINITY };
}

async function play(
  asked: Asked,
  { output, signal, say }: Terminal & { say: (text: string) => void },
): Promise<number> {
  const began = performance.now();
  const devices = readDevices(asked);
  const count = typeof devices === "number" ? devices : devices.length;
  say(`${String(count)} devices of seed ${String(asked.seed)} connect to ${asked.url}.`);
  const truth = asked.truthFile === undefined ? {} : { truth: openTruthFile(asked.truthFile) };
  const fleet = startFleet({ ...asked, devices, time: timeOf(asked), ...truth });
  const isTerminal = "isTTY" in output && output.isTTY === true;
  const show = watch(fleet, (line) => void output.write(isTerminal ? `\r\u001b[K${line}` : `${line}\n`));
  const progress = setInterval(show, PROGRESS_EVERY_MS);
  try {
    await Promise.race([fleet.finished, untilAborted(signal)]);
  } finally {
    clearInterval(progress);
    await fleet.stop();
  }
  if (isTerminal) say("");
  const counts = fleet.counts();
  say(summary(counts, (performance.now() - began) / 1_000));
  if (asked.truthFile !== undefined) say(`The truth is in ${asked.truthFile}.`);
  return counts.acknowledged === 0 ? 1 : 0;
}

/** What changed since the last look, as a line. */
function watch(fleet: Fleet, tell: (line: string) => void): () => void {
  let last = { at: performance.now(), counts: fleet.counts() };
  return () => {
    const next = { at: performance.now(), counts: fleet.counts() };
    tell(progressLine(next.counts, { before: last.counts, seconds: (next.at - last.at) / 1_000 }));
    last = next;
  };
}

function untilAborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve();
    signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}

if (process.argv[1] === import.meta.filename) {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort());
  process.exitCode = await runFleetSimulator(process.argv.slice(2), { output: process.stdout, signal: ending.signal });
}
