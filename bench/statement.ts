/**
 * How long a provider's statement takes to import, and how much memory: `node bench/statement.ts`.
 */
import { availableParallelism, loadavg } from "node:os";
import { makeIds } from "../src/kernel/ids.ts";
import { systemClock } from "../src/kernel/time.ts";
import { makeLedger } from "../src/ledger/ledger.ts";
import { storeArrivals } from "../src/payments/inbox/arrivals.store.ts";
import type { StatementReport } from "../src/payments/statements/statement-report.ts";
import { makeStatements, type Statements } from "../src/payments/statements/statements.commands.ts";
import { migrateDatabase, openDatabase } from "../src/platform/database.ts";
import { requireDatabase } from "../src/platform/embedded-postgres.ts";
import { readOptions, runProgram, WrongUse } from "../test/support/command-line.ts";
import { withPostgres } from "./run.ts";

const HELP = `Imports a made-up M-Pesa statement into an empty embedded PostgreSQL with durable commits, in one transaction as always:
payments, one charge for every twenty of them, a reversal for every thousand, and a line of rubbish for every ten thousand.
Then the same period again with one line more, of which everything but that line is known.

Usage: npm run bench:statement -- [--lines N] [--once]

  --lines N   lines of the statement (200000)
  --once      leave out the second import
  --help      this text
`;

const SHORTCODE = "600966";
const CHANNEL = { name: "mpesa-ke", country: "KE", currency: "KES", zone: "Africa/Nairobi" } as const;
const HEADER =
  "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.";

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const whole = (value: number): string => Math.round(value).toLocaleString("en");
const megabytes = (bytes: number): string => `${whole(bytes / 1_048_576)} MB`;
const two = (value: number): string => String(value).padStart(2, "0");
const receipt = (at: number): string => `RK${at.toString(36).toUpperCase().padStart(8, "0")}`;

function lineOf(at: number): string {
  // Eight transactions a second from the first of November on.
  const seconds = Math.floor(at / 8);
  const day = 1 + (Math.floor(seconds / 86_400) % 28);
  const time = `${two(day)}-11-2026 ${two(Math.floor(seconds / 3_600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const account = `PG-${10_000 + (at % 50_000)}`;
  const payer = `2547******${two(at % 1_000)} - CUSTOMER ${at % 9_973}`;
  if (at % 10_000 === 9_999) return `${receipt(at)},${time},${time},Pay Bill,Completed,abc,,1.00,TRUE,Pay Utility,,,`;
  if (at % 1_000 === 500)
    return `${receipt(at)},${time},${time},Reversal of ${receipt(at - 1)},Completed,,-50.00,6549196.45,TRUE,Pay Utility Reversal,${payer},${receipt(at - 1)},${account}`;
  if (at % 20 === 19)
    return `${receipt(at)},${time},${time},Pay merchant Charge,Completed,,-0.55,6549246.45,TRUE,Merchant Charge,600966 - ACME SOLAR LTD,${receipt(at - 1)},`;
  return `${receipt(at)},${time},${time},Pay Bill from ${payer} Acc. ${account},Completed,"1,050.00",,6549247.00,TRUE,Pay Utility,${payer},,${account}`;
}

async function* fileOf(lines: number): AsyncGenerator<Uint8Array> {
  let piece = `Account Holder:,ACME SOLAR LTD\r\nShort Code:,${SHORTCODE}\r\n${HEADER}\r\n`;
  for (let at = 0; at < lines; at++) {
    piece += `${lineOf(at)}\r\n`;
    if (piece.length < 65_536) continue;
    yield await Promise.resolve(Buffer.from(piece));
    piece = "";
  }
  yield Buffer.from(piece);
}

interface Run {
  readonly report: StatementReport;
  readonly seconds: number;
  /** After the last line was written: fees are posted and the transaction commits. */
  readonly closingSeconds: number;
  readonly peakBytes: number;
  /** Of this program, without PostgreSQL. */
  readonly cpuSeconds: number;
}

async function importOnce(statements: Statements, lines: number): Promise<Run> {
  let [peakBytes, lastLineAt] = [0, 0];
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }, 50);
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  try {
    const report = await statements.importStatement(fileOf(lines), {
      channel: CHANNEL,
      shortcode: SHORTCODE,
      format: "mpesa",
      fileName: "bench.csv",
      actor: "bench",
      onProgress: () => {
        lastLineAt = performance.now();
      },
    });
    const ended = performance.now();
    const cpu = process.cpuUsage(cpuBefore);
    return {
      report,
      seconds: (ended - started) / 1_000,
      closingSeconds: (ended - lastLineAt) / 1_000,
      peakBytes,
      cpuSeconds: (cpu.user + cpu.system) / 1_000_000,
    };
  } finally {
    clearInterval(watch);
  }
}

function tell(what: string, { report, seconds, closingSeconds, peakBytes, cpuSeconds }: Run): void {
  say(
    `${what}: ${whole(report.linesTotal / seconds)} lines a second (${seconds.toFixed(1)} s; the last ${closingSeconds.toFixed(1)} s of it post fees and commit), peak memory ${megabytes(peakBytes)}.`,
  );
  say(
    `  this program computed ${cpuSeconds.toFixed(1)} s of it; load of the machine ${loadavg()[0]?.toFixed(1) ?? "?"} on ${availableParallelism()} processors`,
  );
  say(`  taken ${whole(report.taken)}, known ${whole(report.known)}, refused ${whole(report.refused)}`);
}

async function main(): Promise<number> {
  const values = readOptions({
    lines: { type: "string", default: "200000" },
    once: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (!/^[1-9]\d{0,6}$/.test(values.lines)) throw new WrongUse("--lines takes a whole number above zero. See --help.");
  const lines = Number(values.lines);
  await withPostgres(["shared_buffers=512MB", "max_wal_size=4GB"], async ({ current, folder }) => {
    const url = await requireDatabase(current(), "washa");
    await migrateDatabase(url);
    const database = openDatabase({ url, connectionsMax: 2 });
    const makeId = makeIds(systemClock);
    const ledger = makeLedger({ clock: systemClock, makeId });
    const parts = { db: database.db, clock: systemClock, makeId, ledger, storeArrivals, spoolFolder: folder };
    const statements = makeStatements(parts);
    say(`Memory before: ${megabytes(process.memoryUsage.rss())}.`);
    tell(`First import of ${whole(lines)} lines`, await importOnce(statements, lines));
    if (!values.once) tell("The same period again", await importOnce(statements, lines + 1));
    await database.close();
  });
  return 0;
}

await runProgram(main);
