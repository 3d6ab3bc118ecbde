import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeLamp, type Lamp } from "../simulators/lamp/lamp.ts";
import { buildApp, type App } from "../src/app.ts";
import { parseConfig } from "../src/config.ts";
import { parseBookInstant, readTable } from "../src/credit/book-csv.ts";
import { bookSerial, formatAccountNumber, type Contract } from "../src/credit/credit.ts";
import { millisBought } from "../src/credit/terms.ts";
import { parseMoney } from "../src/kernel/money.ts";
import { DAY_MS, makeManualClock } from "../src/kernel/time.ts";
import { migrateDatabase } from "../src/platform/database.ts";
import { requireDatabase, startEmbeddedPostgres } from "../src/platform/embedded-postgres.ts";
import { score, type Cause, type RealTransition } from "./book/score.ts";

const HELP = `Usage: npm run accept:book -- FOLDER [--bar 97]

Imports a PAYGO seller's book into a fresh database, replays every payment in time order through the C2B door with the
clock moved to each payment, types every token into a simulated lamp, and compares the contracts' own timelines with the
lock states that really happened.

FOLDER holds accounts.csv, groups.csv, payments.csv and account_state_transitions.csv.
--bar   least share of lock-state transitions reproduced within 60 s, in percent (97)
`;

const SHORTCODE = "600100";
const SECRET = "acceptance0123456789";
const SEND_ATTEMPTS_MAX = 3;

interface Payment {
  readonly id: string;
  readonly accountId: string;
  readonly paidAt: Date;
  readonly minor: bigint;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function progress(what: string, done: number, total: number): void {
  if (done % 50 !== 0 && done !== total) return;
  const width = 30;
  const full = Math.round((done / Math.max(1, total)) * width);
  const bar = `${"█".repeat(full)}${"░".repeat(width - full)}`;
  if (process.stderr.isTTY)
    process.stderr.write(`\r${what.padEnd(18)} ${bar} ${done}/${total}${done === total ? "\n" : ""}`);
  else if (done === total || done % 1000 === 0) process.stderr.write(`${what} ${done}/${total}\n`);
}

function readPayments(text: string): readonly Payment[] {
  const rows = readTable(text, {
    file: "payments.csv",
    columns: ["id", "effective_when", "account_id", "currency", "amount"],
  });
  const payments = rows.map((row) => {
    if (row["currency"] !== "KES")
      fail(`payments.csv: payment ${row["id"]} is in ${row["currency"]}; the C2B door takes KES.`);
    const amount = row["amount"] ?? "";
    const minor = parseMoney(amount.replace(/^-/, ""), "KES").minor;
    return {
      id: row["id"] ?? "",
      accountId: row["account_id"] ?? "",
      paidAt: parseBookInstant(row["effective_when"] ?? ""),
      minor: amount.startsWith("-") ? -minor : minor,
    };
  });
  return payments.toSorted(
    (left, right) => left.paidAt.getTime() - right.paidAt.getTime() || Number(left.id) - Number(right.id),
  );
}

function readTransitions(text: string): ReadonlyMap<string, readonly RealTransition[]> {
  const columns = ["started_when", "account_id", "from_state", "to_state"];
  const rows = readTable(text, { file: "account_state_transitions.csv", columns });
  const read = (row: Record<string, string>): RealTransition => ({
    at: parseBookInstant(row["started_when"] ?? ""),
    from: row["from_state"] ?? "",
    to: row["to_state"] ?? "",
  });
  return new Map([...Map.groupBy(rows, (row) => row["account_id"] ?? "")].map(([id, group]) => [id, group.map(read)]));
}

/** The confirmation as M-Pesa sends it: wall time of Nairobi, to the second. */
function confirmationOf(payment: Payment, contract: Contract): string {
  const nairobi = new Date(payment.paidAt.getTime() + 3 * 3_600_000).toISOString().replace(/\D/g, "").slice(0, 14);
  return JSON.stringify({
    TransactionType: "Pay Bill",
    TransID: `BK${payment.id.padStart(8, "0")}`,
    TransTime: nairobi,
    TransAmount: `${payment.minor / 100n}.${(payment.minor % 100n).toString().padStart(2, "0")}`,
    BusinessShortCode: SHORTCODE,
    BillRefNumber: formatAccountNumber(contract.accountNumber),
    InvoiceNumber: "",
    OrgAccountBalance: "",
    ThirdPartyTransID: "",
    MSISDN: "2547 ***** 126",
    FirstName: "PAYER",
    MiddleName: "",
    LastName: "",
  });
}

async function confirm(url: string, body: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const answer = (await response.json()) as { ResultCode?: unknown };
    if (response.status === 200 && answer.ResultCode === 0) return;
    if (attempt === SEND_ATTEMPTS_MAX)
      throw new Error(`The door answered ${response.status} ${JSON.stringify(answer)} to ${body}`);
  }
}

interface Home {
  readonly contract: Contract;
  readonly lamp: Lamp;
  lastCount: number;
}

/** Types the tokens that are new into the lamp, in the order of their counts; answers how many it accepted and how many there were. */
async function typeTokens(app: App, home: Home): Promise<{ tokens: number; accepted: number }> {
  const tokens = (await app.devices.tokensOf(app.database.db, { deviceId: home.contract.deviceId, limit: 10 }))
    .filter(({ count }) => count > home.lastCount)
    .reverse();
  let accepted = 0;
  for (const { digits, count } of tokens) {
    if (home.lamp.enter(digits).kind === "VALID") accepted += 1;
    home.lastCount = count;
  }
  return { tokens: tokens.length, accepted };
}

async function run(folder: string, bar: number): Promise<boolean> {
  const startedAt = performance.now();
  const read = (file: string): string =>
    existsSync(join(folder, file))
      ? readFileSync(join(folder, file), "utf8")
      : fail(`There is no ${join(folder, file)}.\n\n${HELP}`);
  const payments = readPayments(read("payments.csv"));
  const transitions = readTransitions(read("account_state_transitions.csv"));
  const [groupsCsv, accountsCsv] = [read("groups.csv"), read("accounts.csv")];
  const accountIds = readTable(accountsCsv, { file: "accounts.csv", columns: ["id"] }).map((row) => row["id"] ?? "");
  const work = mkdtempSync(join(tmpdir(), "washa-book-"));
  // What is asked here is whether the books come out right, in a database that is thrown away: no commit waits for the disk.
  const server = await startEmbeddedPostgres({ folder: work, flags: ["synchronous_commit=off", "fsync=off"] });
  try {
    const databaseUrl = await requireDatabase(server, "book");
    await migrateDatabase(databaseUrl);
    const clock = makeManualClock(payments[0]?.paidAt ?? new Date(0));
    const config = parseConfig({
      DATABASE_URL: databaseUrl,
      WASHA_HTTP_PORT: "0",
      WASHA_KEY: randomBytes(32).toString("hex"),
      WASHA_DARAJA_SECRET: SECRET,
      WASHA_DARAJA_SHORTCODES: SHORTCODE,
      WASHA_SMS_SECRET: SECRET,
      WASHA_LOG: "error",
    });
    const app = await buildApp({ config, roles: ["api"], clock });
    await app.start();
    try {
      return await replay({ app, clock, payments, transitions, groupsCsv, accountsCsv, accountIds, bar, startedAt });
    } finally {
      await app.stop();
    }
  } finally {
    await server.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

interface Replay {
  readonly app: App;
  readonly clock: ReturnType<typeof makeManualClock>;
  readonly payments: readonly Payment[];
  readonly transitions: ReadonlyMap<string, readonly RealTransition[]>;
  readonly groupsCsv: string;
  readonly accountsCsv: string;
  readonly accountIds: readonly string[];
  readonly bar: number;
  readonly startedAt: number;
}

async function importBook({
  app,
  clock,
  groupsCsv,
  accountsCsv,
  accountIds,
}: Replay): Promise<ReadonlyMap<string, Home>> {
  const keys = new Map(accountIds.map((id) => [id, randomBytes(16).toString("hex")]));
  const deviceCsv = [
    "Serial Number,Key,Count,Time Divider,Restricted Digit Mode,Hardware Model",
    ...[...keys].map(([id, key]) => `${bookSerial(id)},${key},1,24,0,Book`),
  ].join("\n");
  const { contracts } = await app.database.db.transaction(async (tx) => {
    await app.devices.importCsv(tx, deviceCsv);
    return await app.credit.importBook(
      tx,
      { groupsCsv, accountsCsv, currency: "KES" },
      { actor: "acceptance", area: "book", onProgress: (done, total) => progress("accounts imported", done, total) },
    );
  });
  const lampClock = { now: () => clock.now().getTime() };
  return new Map(
    [...contracts].map(([id, contract]) => [
      id,
      {
        contract,
        lastCount: 1,
        lamp: makeLamp({
          serial: bookSerial(id),
          keyHex: keys.get(id) ?? "",
          count: 1,
          timeDivider: 24,
          clock: lampClock,
        }),
      },
    ]),
  );
}

async function replay(book: Replay): Promise<boolean> {
  const { app, clock, payments } = book;
  const homes = await importBook(book);
  const url = `http://127.0.0.1:${String(app.ports.http)}/rails/daraja/${SECRET}/confirmation`;
  const totals = { confirmed: 0, takenBack: 0, tokens: 0, accepted: 0 };
  for (const [at, payment] of payments.entries()) {
    const home = homes.get(payment.accountId);
    if (home === undefined)
      fail(`payments.csv: payment ${payment.id} names account ${payment.accountId}, which accounts.csv does not have.`);
    clock.moveTo(payment.paidAt);
    if (payment.minor > 0n) {
      await confirm(url, confirmationOf(payment, home.contract));
      totals.confirmed += await app.settleLoop.settleAll();
    } else {
      // A rail confirms no negative payment: the seller took money back, which is a command of a person.
      await app.database.db.transaction((tx) =>
        app.credit.adjust(tx, {
          contractId: home.contract.id,
          amountMinor: payment.minor,
          reason: "Taken back by the seller",
          actor: "acceptance",
          key: payment.id,
          at: payment.paidAt,
        }),
      );
      totals.takenBack += 1;
    }
    const typed = await typeTokens(app, home);
    totals.tokens += typed.tokens;
    totals.accepted += typed.accepted;
    progress("payments replayed", at + 1, payments.length);
  }
  return await report(book, homes, totals);
}

async function report(
  { app, clock, payments, transitions, bar, startedAt }: Replay,
  homes: ReadonlyMap<string, Home>,
  totals: { confirmed: number; takenBack: number; tokens: number; accepted: number },
): Promise<boolean> {
  const last = Math.max(...[...transitions.values()].flat().map(({ at }) => at.getTime()), clock.now().getTime());
  clock.moveTo(new Date(last + DAY_MS));
  const byAccount = Map.groupBy(payments, ({ accountId }) => accountId);
  const causes = new Map<Cause, number>();
  let [real, reproduced] = [0, 0];
  for (const [id, home] of homes) {
    const version = (await app.credit.plans.versions(app.database.db, [home.contract.planVersionId])).get(
      home.contract.planVersionId,
    );
    if (version === undefined) throw new Error(`The terms of account ${id} are gone.`);
    const result = score({
      real: transitions.get(id) ?? [],
      ours: await app.credit.timelineOf(app.database.db, home.contract.id),
      payments: byAccount.get(id) ?? [],
      totalMinor: version.totalMinor ?? 0n,
      millisBought: (minor) => millisBought(version, minor),
    });
    real += transitions.get(id)?.length ?? 0;
    reproduced += result.reproduced;
    for (const { cause } of result.mismatches) causes.set(cause, (causes.get(cause) ?? 0) + 1);
  }
  const balance = (await app.ledger.trialBalance(app.database.db)).reduce(
    (sum, { balanceMinor }) => sum + balanceMinor,
    0n,
  );
  const booked = totals.confirmed + totals.takenBack;
  const share = (100 * reproduced) / Math.max(1, real);
  const seconds = (performance.now() - startedAt) / 1000;
  const line = (ok: boolean, text: string): string => `${ok ? "PASS" : "FAIL"}  ${text}\n`;
  const checks: [boolean, string][] = [
    [
      booked === payments.length,
      `payments booked ${booked} = payments in the file ${payments.length} (${totals.confirmed} through the C2B door, ${totals.takenBack} taken back by command)`,
    ],
    [balance === 0n, `postings sum to ${balance}`],
    [
      totals.accepted === totals.tokens && totals.tokens > 0,
      `tokens accepted by the lamps in order ${totals.accepted} of ${totals.tokens}`,
    ],
    [
      share >= bar,
      `lock-state transitions reproduced within 60 s ${reproduced} of ${real} = ${share.toFixed(2)} % (bar ${bar} %)`,
    ],
    [seconds < 120, `time ${seconds.toFixed(1)} s (bar 120 s)`],
  ];
  process.stdout.write(`\n${checks.map(([ok, text]) => line(ok, text)).join("")}\nMismatches by cause:\n`);
  for (const [cause, count] of [...causes].sort(([, left], [, right]) => right - left))
    process.stdout.write(`  ${String(count).padStart(5)}  ${cause}\n`);
  return checks.every(([ok]) => ok);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: "boolean", short: "h" }, bar: { type: "string", default: "97" } },
});
if (values.help === true) process.stdout.write(HELP);
else {
  const [folder] = positionals;
  if (folder === undefined) fail(HELP);
  process.exitCode = (await run(folder, Number(values.bar))) ? 0 : 1;
}
