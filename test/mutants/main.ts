/** Makes deliberate mistakes in the money code, one at a time, and expects the named test to notice each. */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readOptions, runProgram, WrongUse } from "../support/command-line.ts";
import { creditMutants } from "./credit-mutants.ts";
import { kernelMutants } from "./kernel-mutants.ts";
import { ledgerMutants } from "./ledger-mutants.ts";
import { mutate, type Mutant } from "./mutant.ts";
import { paymentsMutants } from "./payments-mutants.ts";

const HELP = `Makes deliberate mistakes in copies of the money code, one at a time; for each, a named test must fail.

Usage: npm run test:mutants -- [--only N[,N…]] [--jobs N] [--list]

  --only N  only these numbers of the list
  --jobs N  how many at once, each in a copy of the repository of its own (2)
  --list    the mistakes, their files and the tests that must catch them
  --help    this text

Exit code 1 when a mistake survives, when its text is no longer in the code, or when a test fails without any mistake.
`;

const MUTANTS: readonly Mutant[] = [...ledgerMutants, ...kernelMutants, ...creditMutants, ...paymentsMutants];
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** A mistake may make a loop endless; the test's own time limit cannot end that. */
const RUN_TIMEOUT_MS = 300_000;

type State = "passed" | "failed" | "timed out" | "not run";
const VERDICTS: Readonly<Record<State, string>> = {
  failed: "caught",
  passed: "SURVIVED",
  "timed out": "TOO SLOW",
  "not run": "NOT RUN",
};
/** Copies every file that git would keep, with the packages of the original. */
function copyRepository(folder: string): void {
  const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    maxBuffer: 64 * 1024 * 1024,
  })
    .toString()
    .split("\0")
    .filter((file) => file !== "" && !file.startsWith("node_modules"));
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    try {
      cpSync(join(ROOT, file), join(folder, file));
    } catch (error) {
      // Deleted, and git does not know it yet.
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "dir");
}

/** Runs the named tests and tells how each ended. A file that cannot be loaded has no tests, and so none that failed. */
async function runTests(
  folder: string,
  wanted: readonly Mutant["caughtBy"][],
): Promise<(test: Mutant["caughtBy"]) => State> {
  const reportFile = join(folder, "mutants-report.json");
  rmSync(reportFile, { force: true });
  const files = [...new Set(wanted.map(({ file }) => file))];
  const names = [...new Set(wanted.map(({ test }) => test.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))];
  const vitest = join(folder, "node_modules/vitest/vitest.mjs");
  const child = spawn(
    process.execPath,
    [vitest, "run", ...files, "-t", `(${names.join("|")})$`, "--reporter=json", `--outputFile=${reportFile}`],
    {
      cwd: folder,
      stdio: "ignore",
      detached: true,
    },
  );
  children.add(child);
  const timer = setTimeout(() => endGroup(child.pid), RUN_TIMEOUT_MS);
  await new Promise<void>((resolve, reject) => child.once("error", reject).once("close", () => resolve()));
  clearTimeout(timer);
  children.delete(child);
  const report = readReport(reportFile);
  return ({ file, test }) => {
    const suite = report.find(({ name }) => name.endsWith(`/${file}`));
    const found =
      suite?.assertionResults.filter(
        ({ title, status }) => title === test && (status === "passed" || status === "failed"),
      ) ?? [];
    if (found.length === 0) return "not run";
    const failures = found.filter(({ status }) => status === "failed");
    // Too slow is not wrong: a busy machine must not look like a test that noticed something.
    const noticed = failures.filter(({ failureMessages }) =>
      failureMessages.some((text) => !/timed out in \d+ms/.test(text)),
    );
    return noticed.length > 0 ? "failed" : failures.length > 0 ? "timed out" : "passed";
  };
}

interface SuiteReport {
  readonly name: string;
  readonly assertionResults: readonly {
    readonly title: string;
    readonly status: string;
    readonly failureMessages: readonly string[];
  }[];
}

function readReport(file: string): readonly SuiteReport[] {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { testResults: readonly SuiteReport[] }).testResults;
  } catch {
    return []; // it died before it could write: nothing was run
  }
}

const children = new Set<ReturnType<typeof spawn>>();

/** Vitest and its workers stand in a group of their own. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // It ended by itself meanwhile.
  }
}

async function tryMutant(folder: string, mutant: Mutant): Promise<State> {
  const path = join(folder, mutant.file);
  const source = readFileSync(path, "utf8");
  writeFileSync(path, mutate(source, mutant));
  try {
    return (await runTests(folder, [mutant.caughtBy]))(mutant.caughtBy);
  } finally {
    writeFileSync(path, source);
  }
}

function chosen(only: string | undefined): readonly (readonly [number: number, mutant: Mutant])[] {
  const all = MUTANTS.map((mutant, at) => [at + 1, mutant] as const);
  if (only === undefined) return all;
  const numbers = only.split(",").map(Number);
  if (numbers.some((number) => MUTANTS[number - 1] === undefined))
    throw new WrongUse(`--only takes numbers from 1 to ${MUTANTS.length}. See --list.`);
  return all.filter(([number]) => numbers.includes(number));
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const row = ([number, { name, file }]: readonly [number, Mutant], verdict: string): string =>
  `${String(number).padStart(3)}  ${verdict.padEnd(8)}  ${name.padEnd(66)}  ${file}`;

async function main(): Promise<number> {
  const values = readOptions({
    only: { type: "string" },
    jobs: { type: "string" },
    list: { type: "boolean" },
    help: { type: "boolean" },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const mutants = chosen(values.only);
  if (values.list === true) {
    for (const one of mutants)
      say(`${row(one, "")}\n${" ".repeat(15)}caught by ${one[1].caughtBy.file}: ${one[1].caughtBy.test}`);
    return 0;
  }
  const jobs = Number(values.jobs ?? "2");
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 16) throw new WrongUse("--jobs takes a number from 1 to 16.");
  for (const [, mutant] of mutants) mutate(readFileSync(join(ROOT, mutant.file), "utf8"), mutant);

  const startedAt = performance.now();
  const folders: string[] = [];
  const clear = (): void => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      for (const { pid } of children) endGroup(pid);
      clear();
      process.exit(130);
    });
  try {
    for (let job = 0; job < Math.min(jobs, mutants.length); job++) {
      const folder = mkdtempSync(join(tmpdir(), "washa-mutant-"));
      folders.push(folder);
      copyRepository(folder);
    }
    return await hunt(mutants, folders, startedAt);
  } finally {
    clear();
  }
}

async function hunt(
  mutants: readonly (readonly [number, Mutant])[],
  folders: readonly string[],
  startedAt: number,
): Promise<number> {
  const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
  const wanted = mutants.map(([, { caughtBy }]) => caughtBy);
  const before = await runTests(folders[0] ?? ROOT, wanted);
  const broken = [
    ...new Set(
      wanted.filter((test) => before(test) !== "passed").map((test) => `${test.file}: ${test.test}: ${before(test)}`),
    ),
  ];
  if (broken.length > 0) {
    say(`Without any mistake these tests must pass, and do not:\n  ${broken.join("\n  ")}`);
    return 1;
  }
  say(
    `All ${new Set(wanted.map(({ file, test }) => `${file} ${test}`)).size} tests pass without a mistake (${seconds(startedAt)}).`,
  );
  const waiting = [...mutants];
  let survived = 0;
  const work = folders.map(async (folder) => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const began = performance.now();
      const state = await tryMutant(folder, one[1]);
      if (state !== "failed") survived += 1;
      say(`${row(one, VERDICTS[state])}  ${seconds(began)}\n${" ".repeat(15)}by ${one[1].caughtBy.test}`);
    }
  });
  await Promise.all(work);
  say(
    `${mutants.length - survived} of ${mutants.length} mistakes caught, ${survived} survived, in ${seconds(startedAt)}.`,
  );
  return survived === 0 ? 0 : 1;
}

await runProgram(main);
