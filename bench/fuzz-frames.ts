/**
 * Spoils valid frames of every form and reads them: `npm run fuzz:frames -- --frames 1000000 --seed 1`.
 *
 * Every frame follows from the seed and its index alone, so a failure is played again by `--from INDEX --frames 1`.
 */
import { parseArgs } from "node:util";
import type { FrameOutcome } from "../src/telemetry/frames/frame.ts";
import { makeFrameReader } from "../src/telemetry/frames/frame-reader.ts";
import type { FrameReader } from "../src/telemetry/frames/frame-reader.ts";
import { makeBirths } from "../src/telemetry/frames/sparkplug-births.ts";
import { makeInstances } from "../src/telemetry/frames/victron-instances.ts";
import { drawCase, HOUSE } from "./fuzz/cases.ts";
import type { FuzzCase } from "./fuzz/cases.ts";
import { DEVICES, NOW_SECONDS, PORTAL } from "./fuzz/corpus.ts";
import { outcomeFault } from "./fuzz/oracle.ts";
import { GROUP } from "./fuzz/sparkplug.ts";

const HELP = `Spoils valid frames of every form, reads them through the adapters, and looks for what must not happen.

Usage: npm run fuzz:frames -- [--frames N] [--seed N] [--from INDEX]

  --frames N    how many (default 1000000)
  --seed N      which ones (default 1)
  --from INDEX  the first, to play a failure again
Fails (exit code 1) when reading throws, takes more than 100 ms for a frame of up to 64 KB, takes a request for signed
that nobody signed, gives a reading or a refusal that cannot be stored, or when a good frame is read differently after.
`;

const SLOW_MS = 100;
const SMALL_BYTES = 65_536;
const FAILURES_SHOWN_MAX = 5;
const PROGRESS_EVERY = 50_000;
const CANARY_EVERY = 1_000;
/** A run of this many frames in which no frame of some form was ever taken proves nothing about that form. */
const FRAMES_THAT_SHOW_ALL = 50_000;

interface Tally {
  taken: number;
  refused: number;
}
interface Run {
  readonly byForm: Map<string, Tally>;
  readonly byReason: Map<string, number>;
  readonly failures: string[];
  slowestMs: number;
}

function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      frames: { type: "string", default: "1000000" },
      seed: { type: "string", default: "1" },
      from: { type: "string", default: "0" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [frames, seed, from] = [Number(values.frames), Number(values.seed), Number(values.from)];
  if (values.help || ![frames, seed, from].every((value) => Number.isSafeInteger(value) && value >= 0)) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const run: Run = { byForm: new Map(), byReason: new Map(), failures: [], slowestMs: 0 };
  const startedAt = performance.now();
  let done = 0;
  while (done < frames && run.failures.length < FAILURES_SHOWN_MAX) {
    fuzzOne(run, seed, from + done++);
    if (done % PROGRESS_EVERY === 0) progress(run, done, { frames, startedAt });
  }
  report(run, done, (performance.now() - startedAt) / 1_000);
  if (run.failures.length > 0) return 1;
  const unseen = [...run.byForm].filter(([form, { taken }]) => taken === 0 && form !== "large").map(([form]) => form);
  if (frames < FRAMES_THAT_SHOW_ALL || unseen.length === 0) return 0;
  process.stdout.write(`No frame was ever taken of: ${unseen.join(", ")}. The run proves nothing about them.\n`);
  return 1;
}

function makeReader(how: { allowSimpleAuth: boolean; signatureOnConnection: "optional" | "required" }): FrameReader {
  return makeFrameReader({
    ...how,
    victron: { portals: new Map([[PORTAL, DEVICES[0].serial]]), instances: makeInstances({ named: new Map() }) },
    sparkplug: { groups: new Set([GROUP]), births },
  });
}

/** Emptied for each frame, so that each follows from its own index alone. */
let known = makeBirths({ edgesMax: 10 });
const births = {
  find: (edge: string) => known.find(edge),
  put: (edge: string, birth: Parameters<typeof known.put>[1]) => known.put(edge, birth),
};

const strict = makeReader({ allowSimpleAuth: false, signatureOnConnection: "required" });
const lenient = makeReader({ allowSimpleAuth: true, signatureOnConnection: "optional" });

function fuzzOne(run: Run, seed: number, index: number): void {
  const fuzz = drawCase(seed, index);
  const isLenient = index % 2 === 0;
  const reader = isLenient ? lenient : strict;
  known = makeBirths({ edgesMax: 10 });
  let fault: string | undefined;
  try {
    for (const raw of fuzz.before) reader.read(raw, HOUSE);
    const { outcome, tookMs } = timed(reader, fuzz);
    count(run, fuzz, outcome);
    fault = outcomeFault(outcome, fuzz, isLenient);
    if (fuzz.raw.payload.length <= SMALL_BYTES) {
      run.slowestMs = Math.max(run.slowestMs, tookMs);
      if (tookMs > SLOW_MS) fault ??= `it took ${tookMs.toFixed(1)} ms`;
    }
    if (index % CANARY_EVERY === 0) fault ??= canaryFault();
  } catch (error) {
    fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  if (fault !== undefined) run.failures.push(describe(fuzz, { fault, seed, index }));
}

/** A pause of the machine is no hang of the reader: what seems slow is read again, and the quickest counts. */
function timed(reader: FrameReader, { raw }: FuzzCase): { outcome: FrameOutcome; tookMs: number } {
  let tookMs = Infinity;
  let outcome: FrameOutcome | undefined;
  for (let turn = 0; turn < 4 && (outcome === undefined || tookMs > SLOW_MS / 4); turn++) {
    const startedAt = performance.now();
    outcome = reader.read(raw, HOUSE);
    tookMs = Math.min(tookMs, performance.now() - startedAt);
  }
  return { outcome: outcome ?? reader.read(raw, HOUSE), tookMs };
}

const CANARY = {
  payload: Buffer.from(`{"sn":"TV-1","ts":${NOW_SECONDS},"d":{"tc":3,"battery_voltage":12.5,"note":"a"}}`),
  topic: "data",
  serial: "TV-1",
  contentType: undefined,
  receivedAtMs: NOW_SECONDS * 1_000,
};
const canary = JSON.stringify(lenient.read(CANARY, HOUSE));

function canaryFault(): string | undefined {
  const now = JSON.stringify(lenient.read(CANARY, HOUSE));
  if (now !== canary || !now.includes('"ok":true')) return `a good frame is read differently after it: ${now}`;
  return Object.keys(Object.prototype).length > 0 ? "Object.prototype has new members" : undefined;
}

function count({ byForm, byReason }: Run, { form }: FuzzCase, outcome: FrameOutcome): void {
  const tally = byForm.get(form) ?? { taken: 0, refused: 0 };
  byForm.set(form, tally);
  if (outcome.ok) tally.taken++;
  else {
    tally.refused++;
    const { reason } = outcome.refusal;
    byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
  }
}

const SHOWN_BYTES_MAX = 2_000;

function describe(
  { form, how, raw }: FuzzCase,
  { fault, seed, index }: { fault: string; seed: number; index: number },
): string {
  const bytes = Buffer.from(raw.payload.subarray(0, SHOWN_BYTES_MAX));
  return [
    `FAIL frame ${index} (${form}, ${how}): ${fault}`,
    `  again: npm run fuzz:frames -- --seed ${seed} --from ${index} --frames 1`,
    `  topic ${JSON.stringify(raw.topic.slice(0, 100))}, connection ${raw.serial ?? "nobody"}, ${raw.payload.length} bytes`,
    `  text ${JSON.stringify(bytes.toString("latin1"))}`,
  ].join("\n");
}

function progress(run: Run, done: number, { frames, startedAt }: { frames: number; startedAt: number }): void {
  const rate = Math.round(done / ((performance.now() - startedAt) / 1_000));
  process.stderr.write(`${done} of ${frames} frames, ${rate} a second, ${run.failures.length} failures\n`);
}

function report(run: Run, frames: number, seconds: number): void {
  const row = (name: string, ...numbers: readonly (number | string)[]): string =>
    `  ${name.padEnd(26)}${numbers.map((number) => String(number).padStart(10)).join("")}`;
  const forms = [...run.byForm].sort(([one], [other]) => one.localeCompare(other));
  const lines = [
    row("form", "taken", "refused"),
    ...forms.map(([form, { taken, refused }]) => row(form, taken, refused)),
    row("refused for", "frames"),
    ...[...run.byReason].sort(([, one], [, other]) => other - one).map(([reason, times]) => row(reason, times)),
    `${frames} frames in ${seconds.toFixed(1)} s; slowest small frame ${run.slowestMs.toFixed(1)} ms; ${run.failures.length} failures`,
    ...run.failures,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

process.exitCode = main(process.argv.slice(2));
