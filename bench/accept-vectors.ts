/**
 * Runs published vectors against this project's own code: `node bench/accept-vectors.ts FOLDER`.
 *
 * Each vector file has a suite, which turns the file into named checks; a check returns nothing when it holds and a
 * sentence with expected and got when it does not. To add a file, write its suite and list it in SUITES.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { openpaygoToken } from "../test/devices/tokens/openpaygo-vectors.ts";
import type { VectorCheck, VectorSuite } from "../test/devices/tokens/openpaygo-vectors.ts";
import { openpaygoMetrics } from "../test/telemetry/metrics/metrics-vectors.ts";

const SUITES: readonly VectorSuite[] = [openpaygoToken, openpaygoMetrics];

/** Enough to see what is wrong; a broken primitive fails hundreds of checks for one reason. */
const FAILURES_SHOWN_MAX = 50;
const PROGRESS_EVERY = 200;

const HELP = `Runs published vectors against this project's own code.

Usage: node bench/accept-vectors.ts FOLDER

FOLDER holds the vector files: ${SUITES.map((suite) => suite.file).join(", ")}
Exit codes: 0 every check passed, 1 a check failed, 2 the folder or a file is missing or unreadable.
`;

type Failure = { readonly group: string; readonly id: string; readonly wrong: string };
type Tally = { passed: number; failed: number };

function main(args: readonly string[]): number {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(HELP);
    return 0;
  }
  const [folder, ...extra] = args;
  if (folder === undefined || extra.length > 0) return complain(`Name one folder of vector files.\n\n${HELP}`);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return complain(`There is no folder ${folder}.`);
  let failed = 0;
  for (const suite of SUITES) {
    const path = join(folder, suite.file);
    if (!existsSync(path)) return complain(`There is no file ${suite.file} in ${folder}.`);
    const content = readJson(path);
    if (content === undefined) return complain(`${path} is not JSON.`);
    const checks = checksOf(suite, content);
    if (checks === undefined) return complain(`${path} does not have the shape its suite expects.`);
    failed += runSuite(suite.file, checks);
  }
  return failed === 0 ? 0 : 1;
}

function complain(message: string): number {
  process.stderr.write(`${message}\n`);
  return 2;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A file of another shape makes its suite stumble over a missing field; anything else is a bug and goes on up. */
function checksOf(suite: VectorSuite, content: unknown): readonly VectorCheck[] | undefined {
  try {
    return suite.checks(content);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Runs one suite, prints its table, and answers how many checks failed. A suite without checks counts as a failure. */
function runSuite(file: string, checks: readonly VectorCheck[]): number {
  const tallies = new Map<string, Tally>();
  const failures: Failure[] = [];
  checks.forEach((check, done) => {
    const wrong = runCheck(check);
    const tally = tallies.get(check.group) ?? { passed: 0, failed: 0 };
    tallies.set(check.group, tally);
    if (wrong === undefined) tally.passed++;
    else {
      tally.failed++;
      failures.push({ group: check.group, id: check.id, wrong });
    }
    if ((done + 1) % PROGRESS_EVERY === 0) progress(file, done + 1, checks.length);
  });
  progress(file, checks.length, checks.length);
  print(file, tallies, failures);
  return checks.length === 0 ? 1 : failures.length;
}

function runCheck(check: VectorCheck): string | undefined {
  try {
    return check.run();
  } catch (error) {
    return `threw ${String(error)}`;
  }
}

/** Progress goes to the error stream, so that the tables can be kept in a file. */
function progress(file: string, done: number, all: number): void {
  process.stderr.write(`${file}: ${done} of ${all} checks run\n`);
}

function print(file: string, tallies: ReadonlyMap<string, Tally>, failures: readonly Failure[]): void {
  const rows = [...tallies].map(([group, { passed, failed }]) => row(group, passed, failed));
  const passed = [...tallies.values()].reduce((sum, tally) => sum + tally.passed, 0);
  const lines = [file, row("group", "passed", "failed"), ...rows, row("all", passed, failures.length)];
  for (const { group, id, wrong } of failures.slice(0, FAILURES_SHOWN_MAX)) lines.push(`FAIL ${group} ${id}: ${wrong}`);
  if (failures.length > FAILURES_SHOWN_MAX) lines.push(`... and ${failures.length - FAILURES_SHOWN_MAX} more failures`);
  process.stdout.write(`${lines.join("\n")}\n`);
}

function row(group: string, passed: number | string, failed: number | string): string {
  return `  ${group.padEnd(26)}${String(passed).padStart(8)}${String(failed).padStart(8)}`;
}

process.exitCode = main(process.argv.slice(2));
