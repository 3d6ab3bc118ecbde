/**
 * Readings of a fleet in PostgreSQL, in the embedded engine and in DuckDB: load, size and six questions, on the same rows in
 * the same run: `node bench/history.ts`.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { openHistory } from "../src/platform/history/history.ts";
import { loadDuckdb, loadHistory, loadPostgres, type Answer, type Loaded } from "./history/engines.ts";
import { daysOf, questionsOf, type Question } from "./history/questions.ts";
import { READINGS_A_DEVICE, writeFiles } from "./history/rows.ts";

const BAR_SCAN = 1.5;
const BAR_OPERATIONAL_MS = 10;
const DUCKDB = "npm install --prefix /tmp/duck @duckdb/node-api";

const HELP = `Load rate, bytes per row and six questions on a fleet's readings, in PostgreSQL, in history's embedded engine and in DuckDB.

Usage: npm run bench:history -- [--rows N] [--rounds N] [--folder DIR] [--duckdb DIR] [--keep] [--without NAMES]

  --rows N         readings, in steps of ${String(READINGS_A_DEVICE)}: that many are one device's 104 days (2000000)
  --rounds N       times each question is asked after a first one that is not counted; the median is shown (5)
  --folder DIR     where rows and engines lie; some 200 bytes a row (a folder that is thrown away)
  --duckdb DIR     folder in which DuckDB was installed; it is no dependency of this program: ${DUCKDB}
  --keep           leave the folder as it is, so that a second run finds the rows made
  --without NAMES  leave out postgres or duckdb, separated by commas
  --help           this text

Every engine loads the same Parquet files and its answers must be the same numbers. History is loaded with its rollups; where one
answers, that is what the program asks, and the figure on the readings themselves is shown beside it.
Bars: history takes at most ${String(BAR_SCAN)} times as long as the fastest in each scan; PostgreSQL answers the operational questions in less than
${String(BAR_OPERATIONAL_MS)} ms. Exit code 1 when one is missed or an answer differs.
`;

const print = (line = ""): void => void process.stdout.write(`${line}\n`);
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

interface Settings {
  readonly rows: number;
  readonly rounds: number;
  readonly folder: string;
  readonly duckdb: string | undefined;
  readonly without: readonly string[];
}

interface Timing {
  readonly ms: number;
  readonly answer: Answer;
}

async function time(ask: () => Promise<Answer>, rounds: number): Promise<Timing> {
  let answer = await ask();
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    answer = await ask();
    taken.push(performance.now() - start);
    // The slowest scans take many seconds; three of them are enough to know.
    if (taken.length >= 3 && (taken[0] ?? 0) > 5_000) break;
  }
  taken.sort((left, right) => left - right);
  return { ms: taken[Math.floor(taken.length / 2)] ?? 0, answer };
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

async function askAll(question: Question, engines: readonly Loaded[], rounds: number): Promise<Row> {
  const ms = new Map<string, number>();
  const faults: string[] = [];
  let first: Answer | undefined;
  const take = async (name: string, ask: () => Promise<Answer>): Promise<void> => {
    const timing = await time(ask, rounds);
    ms.set(name, timing.ms);
    first ??= timing.answer;
    if (timing.answer.length === 0 || !areSame(first, timing.answer))
      faults.push(`${question.name}: ${name} answers otherwise`);
  };
  for (const engine of engines) {
    if (engine.name === "PostgreSQL") await take(engine.name, () => engine.ask(question.postgres));
    else if (engine.name === "DuckDB") await take(engine.name, () => engine.ask(question.duckdb));
    else {
      await take("readings", () => engine.ask(question.history));
      const { rollup } = question;
      if (rollup !== undefined) await take("rollup", () => engine.ask(rollup));
    }
  }
  return { question, ms, faults };
}

/** What the program asks: the rollup where there is one. */
const historyMs = ({ ms }: Row): number => ms.get("rollup") ?? ms.get("readings") ?? Number.NaN;

function judge(row: Row): { readonly text: string; readonly isMissed: boolean } {
  if (row.question.kind === "operational") {
    const taken = row.ms.get("PostgreSQL");
    if (taken === undefined) return { text: "not measured", isMissed: false };
    return { text: `PostgreSQL ${taken.toFixed(1)} ms`, isMissed: taken >= BAR_OPERATIONAL_MS };
  }
  const fastest = Math.min(...row.ms.values());
  const ratio = historyMs(row) / fastest;
  return { text: `history ÷ fastest ${ratio.toFixed(2)}`, isMissed: ratio > BAR_SCAN };
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
  const columns = ["PostgreSQL", "DuckDB", "readings", "rollup"];
  print(`\n| milliseconds | PostgreSQL | DuckDB | history, readings | history, rollup | bar |`);
  print("|---|---|---|---|---|---|");
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
    if (!without.includes("postgres")) {
      tell("Loading PostgreSQL …");
      engines.push(
        await loadPostgres(history, { files, folder: join(folder, "postgres"), days: daysOf(READINGS_A_DEVICE) }),
      );
    }
    const answers: Row[] = [];
    for (const question of questionsOf({ devices: rows / READINGS_A_DEVICE, days: daysOf(READINGS_A_DEVICE) })) {
      tell(`Asking: ${question.name}`);
      answers.push(await askAll(question, engines, rounds));
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
