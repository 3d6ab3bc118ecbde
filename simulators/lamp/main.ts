/** The lamp at a terminal: type tokens as on its keypad, move its clock, watch its light. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { LOCKOUT_POLICIES } from "../../src/devices/tokens/openpaygo.ts";
import type { LockoutPolicy } from "../../src/devices/tokens/openpaygo.ts";
import { makeLamp, makeMovableClock, restoreLamp } from "./lamp.ts";
import type { Lamp, LampEvent, LampFace, LampSettings } from "./lamp.ts";
import { parseLampSnapshot } from "./lamp-state.ts";

/** A key for trying things out. It is published here, so no real device may ever carry it. */
const DEMONSTRATION_KEY = "5afe0000111122223333444455556666";
const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };

const HELP = `A simulated solar lamp with a keypad.

Usage: node simulators/lamp/main.ts [options]

  --serial TEXT         serial number (default LAMP-0001)
  --key HEX             secret key, 32 hexadecimal digits (default: a published demonstration key)
  --starting-code N     starting code (default: derived from the key)
  --count N             count the factory left in the lamp (default 1)
  --time-divider N      token units per day, 1..255 (default 1)
  --restricted          the keypad has only the keys 1..4
  --lockout POLICY      ${LOCKOUT_POLICIES.join(", ")} (default docs)
  --start INSTANT       where its clock starts, such as 2026-01-31T18:00:00Z (default: now)
  --state FILE          continue the lamp in FILE if it exists, and save it there; the options above are then those
                        of the file. The file holds the key
  --token DIGITS        enter a token; may be repeated
  --advance TIME        move the clock: 2d, 12h, 30m, 10s; may be repeated, in order with --token
  --json                print events and the final face as JSON lines
  --help                this text

Without --token and --advance it reads keys from the terminal, a line at a time: digits type, * clears, # or the end
of the line enters, +2d moves the clock, ? shows the lamp, log shows its events, q leaves.
The lamp's clock stands still between runs. Exit codes: 0 done, 1 a token given by --token was not valid, 2 wrong use.
`;

const OPTIONS = {
  serial: { type: "string" },
  key: { type: "string" },
  "starting-code": { type: "string" },
  count: { type: "string" },
  "time-divider": { type: "string" },
  restricted: { type: "boolean" },
  lockout: { type: "string" },
  start: { type: "string" },
  state: { type: "string" },
  token: { type: "string", multiple: true },
  advance: { type: "string", multiple: true },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

class WrongUse extends Error {}

type Clock = ReturnType<typeof makeMovableClock>;
type Bench = { readonly lamp: Lamp; readonly clock: Clock; readonly isJson: boolean };
type Options = ReturnType<typeof parseOptions>["values"];

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false, tokens: true });
  } catch (error) {
    if (error instanceof TypeError) throw new WrongUse(`${error.message}.`, { cause: error });
    throw error;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const { values, tokens } = parseOptions(args);
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const bench = setUp(values);
  const steps = tokens.filter((part) => part.kind === "option" && (part.name === "token" || part.name === "advance"));
  let refused = 0;
  for (const step of steps) {
    if (step.kind !== "option" || step.value === undefined) continue;
    if (step.name === "advance") bench.clock.advance(parseTime(step.value));
    else if (show(bench, bench.lamp.enter(step.value)).kind !== "VALID") refused++;
  }
  if (steps.length === 0) await converse(bench);
  else process.stdout.write(`${bench.isJson ? JSON.stringify(bench.lamp.face()) : faceText(bench.lamp.face())}\n`);
  if (values.state !== undefined) save(values.state, bench.lamp);
  return refused === 0 ? 0 : 1;
}

function setUp(values: Options): Bench {
  const isJson = values.json === true;
  try {
    if (values.state !== undefined && existsSync(values.state)) {
      const snapshot = parseLampSnapshot(readFileSync(values.state, "utf8"));
      if (snapshot === undefined) throw new WrongUse(`${values.state} does not hold a lamp.`);
      const clock = makeMovableClock(snapshot.savedAt);
      return { lamp: restoreLamp({ snapshot, clock }), clock, isJson };
    }
    const clock = makeMovableClock(values.start === undefined ? Date.now() : parseInstant(values.start));
    return { lamp: makeLamp({ ...settingsOf(values), clock }), clock, isJson };
  } catch (error) {
    if (error instanceof RangeError) throw new WrongUse(error.message, { cause: error });
    throw error;
  }
}

function settingsOf(values: Options): LampSettings {
  return {
    serial: values.serial ?? "LAMP-0001",
    keyHex: values.key ?? DEMONSTRATION_KEY,
    startingCode: parseWhole("--starting-code", values["starting-code"]),
    count: parseWhole("--count", values.count),
    timeDivider: parseWhole("--time-divider", values["time-divider"]),
    restrictedDigits: values.restricted === true,
    lockoutPolicy: parsePolicy(values.lockout),
  };
}

function parseWhole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) throw new WrongUse(`${name} takes a whole number.`);
  return Number(text);
}

function parsePolicy(text: string | undefined): LockoutPolicy | undefined {
  if (text === undefined) return undefined;
  const policy = LOCKOUT_POLICIES.find((known) => known === text);
  if (policy === undefined) throw new WrongUse(`--lockout is one of ${LOCKOUT_POLICIES.join(", ")}.`);
  return policy;
}

function parseInstant(text: string): number {
  const instant = Date.parse(text);
  if (Number.isNaN(instant)) throw new WrongUse("--start takes an instant such as 2026-01-31T18:00:00Z.");
  return instant;
}

function parseTime(text: string): number {
  const [, amount = "", unit = ""] = /^([0-9]{1,6})([dhms])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs === undefined) throw new WrongUse("A time is a number and d, h, m or s: 2d, 12h, 30m, 10s.");
  return Number(amount) * unitMs;
}

/** Written beside the file and moved over it, so that a crash leaves the old lamp whole. Only the owner may read it. */
function save(path: string, lamp: Lamp): void {
  const beside = `${path}.new`;
  writeFileSync(beside, `${JSON.stringify(lamp.snapshot(), undefined, 2)}\n`, { mode: 0o600 });
  renameSync(beside, path);
}

async function converse(bench: Bench): Promise<void> {
  const isTerminal = process.stdin.isTTY === true;
  const input = createInterface({ input: process.stdin, terminal: isTerminal, prompt: "> ", output: process.stdout });
  process.stdout.write(`${faceText(bench.lamp.face())}\n`);
  if (isTerminal) input.prompt();
  for await (const line of input) {
    if (line.trim() === "q") break;
    obey(bench, line.trim());
    if (isTerminal) input.prompt();
  }
  input.close();
}

function obey(bench: Bench, line: string): void {
  const { lamp, clock } = bench;
  try {
    if (line === "log") for (const event of lamp.events()) show(bench, event);
    else if (line.startsWith("+")) clock.advance(parseTime(line.slice(1)));
    else if (line !== "" && line !== "?") pressAll(bench, line);
    process.stdout.write(`${faceText(lamp.face())}\n`);
  } catch (error) {
    if (!(error instanceof WrongUse)) throw error;
    process.stdout.write(`${error.message}\n`);
  }
}

/** The end of a line enters what was typed, unless the line was ended by # or cleared by *. */
function pressAll(bench: Bench, line: string): void {
  const keys = /[#*]$/.test(line) ? line : `${line}#`;
  for (const key of keys) {
    const event = bench.lamp.press(key);
    if (event !== undefined) show(bench, event);
  }
}

function show({ isJson }: Bench, event: LampEvent): LampEvent {
  process.stdout.write(`${isJson ? JSON.stringify(event) : eventText(event)}\n`);
  return event;
}

function eventText({ happenedAt, kind, token, type, value, count }: LampEvent): string {
  const what = kind === "VALID" ? ` ${type} ${value} (count ${count})` : "";
  return `${new Date(happenedAt).toISOString()} ${kind}${what}${token === undefined ? "" : ` ${token}`}`;
}

function faceText(face: LampFace): string {
  const days = face.daysLeft === "unlimited" ? "unlocked for good" : `${face.daysLeft.toFixed(2)} days left`;
  const waits = face.lockedUntil === null ? "" : `, keypad waits until ${new Date(face.lockedUntil).toISOString()}`;
  const light = face.relayOn ? "light on" : "light off";
  return `${face.serial} at ${new Date(face.shownAt).toISOString()}: ${light} (${face.led}), ${days}, count ${face.count}${waits}`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof WrongUse)) throw error;
  process.stderr.write(`${error.message} Try --help.\n`);
  process.exitCode = 2;
}
