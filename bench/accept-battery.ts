import { parseArgs } from "node:util";
import { describeEnds, readCells } from "./battery/cells.ts";
import { judgeBattery, type JudgedBattery } from "./battery/fleet.ts";
import { COVERAGE, judgeCells, meanError, SEEN_SHARES, type JudgedForecast } from "./battery/laboratory.ts";
import { scoreFleet, type FleetScore } from "./battery/score.ts";

const HELP = `Usage: npm run accept:battery -- FOLDER [FOLDER OF CELLS TO TEST ON] [--batteries 300] [--weeks 156] [--seed 50000]

Two tests of battery health.

Laboratory cells: the reference method forecasts the cycle in which a cell's capacity falls below its end of life, from the
first half of its life: the cycles up to half of the true end, a number that the method is not told. Whole cells are left out
in turn; with a second folder, the method learns from the first folder alone and is tested on the second.
FOLDER holds CSV files with the columns battery,cycle,capacity,resistance (CALCE) or battery,cycle,capacity_ah (NASA).

Simulated fleet: the field method reads what meters tell, with noise, gaps and repetitions, and is held against the truth.
--batteries   how many, a third of each chemistry (300; 0 leaves this test out)
--weeks       how long each lives (156)
--seed        the first battery's seed (50000); each battery has the next
`;

const BARS = { error: 0.12, coverage: [0.8, 0.95], within5: 0.9, precision: 0.8, recall: 0.6 } as const;

interface Check {
  readonly name: string;
  readonly figure: string;
  readonly bar: string;
  readonly passed: boolean;
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const signed = (value: number): string => `${value >= 0 ? "+" : "−"}${(100 * Math.abs(value)).toFixed(1)} %`;
const say = (line = ""): void => void process.stdout.write(`${line}\n`);

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function progress(what: string, done: number, total: number): void {
  const width = 30;
  const full = Math.round((done / Math.max(1, total)) * width);
  const bar = `${"█".repeat(full)}${"░".repeat(width - full)}`;
  if (process.stderr.isTTY) process.stderr.write(`\r${what} ${bar} ${done}/${total}${done === total ? "\n" : ""}`);
  else if (done === total || done % 50 === 0) process.stderr.write(`${what} ${done}/${total}\n`);
}

function readWhole(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) fail(`--${name} takes a whole number, not "${text}".\n\n${HELP}`);
  return value;
}

function table(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  for (const row of rows)
    say(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

function reportCells(
  judged: readonly JudgedForecast[],
  { where, leftOut }: { readonly where: string; readonly leftOut: readonly JudgedForecast[] },
): readonly Check[] {
  const atHalf = judged.filter(({ seenShare }) => seenShare === 0.5);
  say(`Laboratory cells, ${where}. End of life: ${describeEnds().join(", ")}.`);
  say();
  table([
    [
      "cell",
      "cycles seen",
      "forecast",
      `${percent(COVERAGE)} interval`,
      "true end",
      "error",
      "line",
      "no change",
      "kin alone",
    ],
    ...atHalf.map(({ cell, life, forecast, covered, error, lineError, noChangeError, kinError }) => [
      cell.name,
      String(Math.floor(life / 2)),
      forecast.cycles.toFixed(0),
      `${forecast.leastCycles.toFixed(0)}–${forecast.mostCycles.toFixed(0)}${covered ? "" : " missed"}`,
      String(life),
      signed(error),
      signed(lineError),
      signed(noChangeError),
      signed(kinError),
    ]),
  ]);
  say();
  table([
    ["seen of life", ...SEEN_SHARES.map(percent)],
    [
      "mean absolute error",
      ...SEEN_SHARES.map((seen) =>
        percent(
          meanError(
            judged.filter((one) => one.seenShare === seen),
            ({ error }) => error,
          ),
        ),
      ),
    ],
  ]);
  say();
  const error = meanError(atHalf, (one) => one.error);
  const line = meanError(atHalf, (one) => one.lineError);
  const noChange = meanError(atHalf, (one) => one.noChangeError);
  // A handful of cells cannot tell how often an interval holds: with a second folder, the cells of the first, each left out
  // in turn, are counted too.
  const unseen = [...judged, ...leftOut];
  const coverOf = (forecasts: readonly JudgedForecast[]) =>
    forecasts.filter((one) => one.covered).length / forecasts.length;
  const covered = coverOf(unseen);
  if (leftOut.length > 0) say(`Intervals of the tested cells alone cover ${percent(coverOf(judged))}.`);
  say(
    `A cell's family alone (its kin's mean life) would be off by ${percent(meanError(atHalf, (one) => one.kinError))}.`,
  );
  say("“No change” keeps the capacity where it is until the end of the record, so it never sees the end.");
  say();
  return [
    {
      name: "forecast of the end from half a life",
      figure: percent(error),
      bar: `≤ ${percent(BARS.error)}`,
      passed: error <= BARS.error,
    },
    { name: "beats a straight line", figure: percent(line), bar: `> ${percent(error)}`, passed: line > error },
    { name: "beats no change", figure: percent(noChange), bar: `> ${percent(error)}`, passed: noChange > error },
    {
      name: `intervals cover (${unseen.length} forecasts from 40 to 60 % of life)`,
      figure: percent(covered),
      bar: `${percent(BARS.coverage[0])} to ${percent(BARS.coverage[1])}`,
      passed: covered >= BARS.coverage[0] && covered <= BARS.coverage[1],
    },
  ];
}

function reportFleet(score: FleetScore): readonly Check[] {
  say(`Simulated fleet of ${score.batteries} batteries; ${score.ended} came to their end of life.`);
  say();
  table([
    ["chemistry", "batteries", "with enough evidence", "within 5 points at quarterly looks"],
    ...score.byChemistry.map(({ chemistry, batteries, withEvidence, looksWithin5 }) => [
      chemistry,
      String(batteries),
      String(withEvidence),
      percent(looksWithin5),
    ]),
  ]);
  say();
  say(
    `Over all weeks with evidence: within 5 points ${percent(score.weeksWithin5)}, nine in ten within ${percent(score.error90)},`,
  );
  say(
    `90 % intervals cover ${percent(score.covered)}; in each battery's very last week, within 5 points ${percent(score.lastWithin5)}.`,
  );
  const { first } = score;
  say(
    "For information, the strictest reading of an early warning (the first one of each battery, right only when the end",
  );
  say(
    `comes 8 to 52 weeks after it): precision ${percent(first.precision)}, recall ${percent(first.recall)}; ${first.late} came late, ${first.early} too early.`,
  );
  say();
  const { list } = score;
  return [
    {
      name: "state of health within 5 points, batteries with enough evidence, quarterly looks",
      figure: `${percent(score.looksWithin5)} of ${score.looks}`,
      bar: `≥ ${percent(BARS.within5)}`,
      passed: score.looksWithin5 >= BARS.within5,
    },
    {
      name: "below the end 8 weeks from now: precision of the list",
      figure: percent(list.precision),
      bar: `≥ ${percent(BARS.precision)}`,
      passed: list.precision >= BARS.precision,
    },
    {
      name: "recall of the list (all batteries, those without evidence too)",
      figure: percent(list.recall),
      bar: `≥ ${percent(BARS.recall)}`,
      passed: list.recall >= BARS.recall,
    },
  ];
}

function judgeFleet(first: number, batteries: number, weeks: number): readonly JudgedBattery[] {
  return Array.from({ length: batteries }, (_, at) => {
    const judged = judgeBattery(first + at, weeks);
    progress("fleet", at + 1, batteries);
    return judged;
  });
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean" },
      batteries: { type: "string", default: "300" },
      weeks: { type: "string", default: "156" },
      seed: { type: "string", default: "50000" },
    },
  });
  if (values.help === true) return say(HELP);
  const [folder, testFolder] = positionals;
  if (folder === undefined) return fail(`The folder of cells is missing.\n\n${HELP}`);
  const batteries = readWhole(values.batteries, "batteries");
  const weeks = readWhole(values.weeks, "weeks");
  const learnFrom = readCells(folder);
  const testOn = testFolder === undefined ? undefined : readCells(testFolder);
  const judged = judgeCells(learnFrom, testOn);
  if (judged.length === 0)
    return fail("No cell to test on reaches its end of life, so there is nothing to hold a forecast against.");
  const tested = new Set(judged.map(({ cell }) => cell.name));
  const untested = (testOn ?? learnFrom).filter(({ name }) => !tested.has(name)).map(({ name }) => name);
  if (untested.length > 0) say(`Never reached their end, so not tested: ${untested.join(", ")}.`);
  const where = testOn === undefined ? "each left out in turn" : "learned from the first folder alone";
  const tests = new Set((testOn ?? []).map(({ name }) => name));
  const leftOut =
    testOn === undefined ? [] : judgeCells(learnFrom, undefined).filter(({ cell }) => !tests.has(cell.name));
  const checks = [...reportCells(judged, { where, leftOut })];
  if (batteries > 0)
    checks.push(...reportFleet(scoreFleet(judgeFleet(readWhole(values.seed, "seed"), batteries, weeks))));
  table([
    ["", "promise", "measured", "bar"],
    ...checks.map(({ name, figure, bar, passed }) => [passed ? "reached" : "MISSED", name, figure, bar]),
  ]);
  process.exitCode = checks.every(({ passed }) => passed) ? 0 : 1;
}

try {
  main();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
