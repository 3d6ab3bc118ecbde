/**
 * Readings of a fleet in PostgreSQL, in the embedded engine and in DuckDB: load, size and six questions, on the same rows in
 * the same run: `node bench/history.ts`.
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openHistory } from "../src/platform/history/history.ts";
import { makeRollupQueries } from "../src/telemetry/history/rollup.queries.ts";
import type { SeriesQueries } from "../src/telemetry/history/series.queries.ts";
import { loadDuckdb, loadHistory, loadPostgres, type Loaded } from "./history/engines.ts";
import { daysOf, questionsOf, type Answer, type Program, type Question } from "./history/questions.ts";
import { READINGS_A_DEVICE, writeFiles } from "./history/rows.ts";

const BAR_SCAN = 1.5;
const BAR_OPERATIONAL_MS = 10;
/** Operational questions are quick, and each is asked of another device: more of them, so that the median says something. */
const OPERATIONAL_ROUNDS = 20;
/** The slowest scans take many seconds; three of them are enough to know. */
const ENOUGH_MS = 10_000;
/** Files 10, history 28 and once more while it merges, DuckDB 16, PostgreSQL 214; and PostgreSQL's log, which is up to 4 GB. */
const BYTES_A_ROW = 300;
const LOG_BYTES = 5e9;
const DUCKDB = "npm install --prefix /tmp/duck @duckdb/node-api";

const HELP = `Load rate, bytes per row and six questions on a fleet's readings, in PostgreSQL, in history's embedded engine and in DuckDB.

Usage: npm run bench:history -- [--rows N] [--rounds N] [--folder DIR] [--duckdb DIR] [--keep] [--without NAMES]

  --rows N         readings, in steps of ${String(READINGS_A_DEVICE)}: that many are one device's 104 days (2000000)
  --rounds N       times each question is asked after two that are not counted; the median is shown (5; operational ones ${String(OPERATIONAL_ROUNDS)})
  --folder DIR     where rows and engines lie; some ${String(BYTES_A_ROW)} bytes a row and 5 GB (a folder that is thrown away)
  --duckdb DIR     folder in which DuckDB was installed; it is no dependency of this program: ${DUCKDB}
  --keep           leave the folder as it is, so that a second run finds the rows made
  --without NAMES  leave out postgres or duckdb, separated by commas
  --help           this text

Every engine loads the same Parquet files and its answers must be the same numbers. Engines are asked in turn, so that what else the
machine does falls on all of them. History is asked as the program asks it, over HTTP: on the readings, on the rollup where one answers, and
through the program's own function where it has one; the last of these that there is counts.
Bars: history takes at most ${String(BAR_SCAN)} times as long as the fastest in each scan; PostgreSQL answers the operational questions in less than
${String(BAR_OPERATIONAL_MS)} ms, a device's month through the program's own function. Exit code 1 when one is missed or an answer differs.
`;

const print = (line = ""): void => void process.stdout.write(`${line}\n`);
const tell = (line: string): void =>
  void process.stderr.write(`${(performance.now() / 1_000).toFixed(0).padStart(5)} s  ${line}\n`);

interface Settings {
  readonly rows: number;
  readonly rounds: number;
  readonly folder: string;
  readonly duckdb: string | undefined;
  readonly without: readonly string[];
}

/** Equal to a part in ten thousand: engines add single-precision numbers in their own order. */
function areSame(left: Answer, right: Answer): boolean {
  const near = (a: number | null | undefined, b: number | null | undefined): boolean =>
    a === b || (typeof a === "number" && typeof b === "number" && Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(a)));
  return (
    left.length === right.length &&
    left.every((row, at) => row.every((value, column) => near(value, right[at]?.[column])))
  );
}

interface Row {
  readonly question: Question;
  readonly ms: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}

interface Asker {
  readonly name: string;
  readonly ask: (device: number) => Promise<Answer> | undefined;
  readonly isOwnRule?: boolean | undefined;
}

function askersOf(question: Question, engines: readonly Loaded[], program: Program): readonly Asker[] {
  const on =
    (engine: Loaded, sql: string) =>
    (device: number): Promise<Answer> =>
      engine.ask(sql.replaceAll("{device}", String(device)));
  const askers: Asker[] = engines.flatMap((engine): Asker[] => {
    if (engine.name === "PostgreSQL") return [{ name: engine.name, ask: on(engine, question.postgres) }];
    if (engine.name === "DuckDB") return [{ name: engine.name, ask: on(engine, question.duckdb) }];
    const { history, rollup } = question;
    return [
      { name: "readings", ask: on(engine, history) },
      ...(rollup === undefined ? [] : [{ name: "rollup", ask: on(engine, rollup) }]),
    ];
  });
  const { program: own, isOwnRule } = question;
  if (own !== undefined) askers.push({ name: "program", ask: (device) => own(program, device), isOwnRule });
  return askers;
}

/** Asks all in turn, of another device each time. */
async function askAll(
  question: Question,
  askers: readonly Asker[],
  { rounds, devices }: { rounds: number; devices: number },
): Promise<Row> {
  const taken = new Map<string, number[]>();
  const faults = new Set<string>();
  const counted = question.kind === "operational" ? Math.max(rounds, OPERATIONAL_ROUNDS) : rounds;
  const warming = question.kind === "operational" ? 8 : 2; // PostgreSQL settles on a plan after five
  for (let round = -warming; round < counted; round++) {
    const device = 1 + (((round + warming) * 7_919) % devices);
    let first: Answer | undefined;
    for (const { name, ask, isOwnRule = false } of askers) {
      const times = taken.get(name) ?? [];
      if (times.length >= 3 && times.reduce((sum, ms) => sum + ms, 0) > ENOUGH_MS) continue;
      const start = performance.now();
      const answer = await ask(device);
      if (answer === undefined) continue;
      const ms = performance.now() - start;
      if (round >= 0 || ms > ENOUGH_MS / 4) taken.set(name, [...times, ms]);
      if (!isOwnRule) first ??= answer;
      if (
        answer.length === 0 ||
        (first !== undefined && (isOwnRule ? answer.length !== first.length : !areSame(first, answer)))
      )
        faults.add(`${question.name}: ${name} answers otherwise`);
    }
  }
  return { question, ms: new Map([...taken].map(([name, times]) => [name, medianOf(times)])), faults: [...faults] };
}

function medianOf(times: readonly number[]): number {
  return times.toSorted((left, right) => left - right)[Math.floor(times.length / 2)] ?? Number.NaN;
}

function judge({ question, ms }: Row): { readonly text: string; readonly isMissed: boolean } {
  if (question.kind === "operational") {
    if (!ms.has("PostgreSQL")) return { text: "not measured", isMissed: false };
    const taken = ms.get("program") ?? ms.get("PostgreSQL") ?? Number.NaN;
    return { text: `PostgreSQL ${taken.toFixed(1)} ms`, isMissed: taken >= BAR_OPERATIONAL_MS };
  }
  const ours = ms.get("program") ?? ms.get("rollup") ?? ms.get("readings") ?? Number.NaN;
  const others = ["PostgreSQL", "DuckDB"].flatMap((name) => ms.get(name) ?? []);
  if (others.length === 0) return { text: "nothing to compare with", isMissed: false };
  const ratio = ours / Math.min(...others);
  return { text: `history ÷ fastest other ${ratio.toFixed(2)}`, isMissed: ratio > BAR_SCAN };
}

function printTables(rows: number, engines: readonly Loaded[], answers: readonly Row[]): boolean {
  print(
    `\n${String(rows)} readings of ${String(rows / READINGS_A_DEVICE)} devices, ${String(daysOf(READINGS_A_DEVICE))} days\n`,
  );
  print("| | load, rows/s | merge or index, s | bytes a row | rollups or indexes, bytes a row |");
  print("|---|---|---|---|---|");
  for (const { name, loadSeconds, settleSeconds, bytes, extraBytes } of engines)
    print(
      `| ${name} | ${Math.round(rows / loadSeconds).toLocaleString("en")} | ${settleSeconds.toFixed(1)} | ${(bytes / rows).toFixed(1)} | ${(extraBytes / rows).toFixed(1)} |`,
    );
  const columns = ["PostgreSQL", "DuckDB", "readings", "rollup", "program"];
  print(
    `\n| milliseconds | PostgreSQL | DuckDB | history, readings | history, rollup | the program's function | bar |`,
  );
  print("|---|---|---|---|---|---|---|");
  let isMissed = false;
  for (const row of answers) {
    const verdict = judge(row);
    isMissed ||= verdict.isMissed || row.faults.length > 0;
    const cells = columns.map((name) => row.ms.get(name)?.toFixed(1) ?? "");
    print(`| ${row.question.name} | ${cells.join(" | ")} | ${verdict.isMissed ? "MISSED " : ""}${verdict.text} |`);
  }
  for (const fault of answers.flatMap(({ faults }) => faults)) print(`DIFFERENT ANSWER: ${fault}`);
  return isMissed;
}

async function run({ rows, rounds, folder, duckdb, without }: Settings): Promise<boolean> {
  mkdirSync(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(folder);
  const room = bavail * bsize - LOG_BYTES;
  if (room < rows * BYTES_A_ROW)
    tell(
      `${folder} has room for ${String(Math.max(0, Math.round(room / BYTES_A_ROW / 1e6)))} million rows or so; this may not end well.`,
    );
  const history = openHistory({ folder: join(folder, "history"), owns: true });
  const engines: Loaded[] = [];
  try {
    history.start();
    await history.settled();
    tell("Making the rows …");
    const files = await writeFiles(history, { rows, folder: join(folder, "rows") });
    tell("Loading history …");
    engines.push(await loadHistory(history, files));
    if (!without.includes("duckdb")) {
      if (duckdb === undefined) tell(`DuckDB is left out. Install it with: ${DUCKDB} and give --duckdb /tmp/duck`);
      else {
        tell("Loading DuckDB …");
        engines.push(await loadDuckdb({ files, folder, packageFolder: duckdb }));
      }
    }
    let series: SeriesQueries | undefined;
    if (!without.includes("postgres")) {
      tell("Loading PostgreSQL …");
      const loaded = await loadPostgres(history, {
        files,
        folder: join(folder, "postgres"),
        days: daysOf(READINGS_A_DEVICE),
      });
      series = loaded.series;
      engines.push(loaded);
    }
    const program: Program = { rollups: makeRollupQueries({ history }), series };
    const answers: Row[] = [];
    for (const question of questionsOf(daysOf(READINGS_A_DEVICE))) {
      tell(`Asking: ${question.name}`);
      answers.push(
        await askAll(question, askersOf(question, engines, program), { rounds, devices: rows / READINGS_A_DEVICE }),
      );
    }
    return printTables(rows, engines, answers);
  } finally {
    for (const engine of engines) await engine.close();
    await history.close();
  }
}

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "2000000" },
    rounds: { type: "string", default: "5" },
    folder: { type: "string" },
    duckdb: { type: "string" },
    without: { type: "string", default: "" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) print(HELP);
else {
  const rows = Math.max(1, Math.round(Number(values.rows) / READINGS_A_DEVICE)) * READINGS_A_DEVICE;
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rows) || !Number.isInteger(rounds) || rounds < 1) {
    tell("--rows and --rounds are whole numbers; see --help.");
    process.exitCode = 2;
  } else {
    const folder = resolve(values.folder ?? mkdtempSync(join(tmpdir(), "washa-bench-history-")));
    try {
      const isMissed = await run({ rows, rounds, folder, duckdb: values.duckdb, without: values.without.split(",") });
      if (isMissed) process.exitCode = 1;
    } finally {
      if (!values.keep && values.folder === undefined) rmSync(folder, { recursive: true, force: true });
    }
  }
}
