import { sql } from "drizzle-orm";
import { makeIds } from "../../../src/kernel/ids.ts";
import { makeManualClock } from "../../../src/kernel/time.ts";
import { makeLedger } from "../../../src/ledger/ledger.ts";
import { storeArrivals } from "../../../src/payments/inbox/arrivals.store.ts";
import type { Channel } from "../../../src/payments/rails/rail.ts";
import type { StoreArrivals } from "../../../src/payments/statements/statements.batch.ts";
import {
  makeStatements,
  type ImportOrder,
  type Statements,
} from "../../../src/payments/statements/statements.commands.ts";
import type { StatementReport } from "../../../src/payments/statements/statement-report.ts";
import type { Db } from "../../../src/platform/database.ts";
import { tmpdir } from "node:os";

export const KENYA: Channel = { name: "mpesa-ke", country: "KE", currency: "KES", zone: "Africa/Nairobi" };

/** A statement as the provider's portal exports it: a payment, its charge and its reversal. */
export const SAMPLE = `Account Holder:,ACME SOLAR LTD,,,,,,,,,,,
Short Code:,600966,,,,,,,,,,,
Account:,Utility Account,,,,,,,,,,,
Time Period:,From 01-11-2026 00:00:00 To 02-11-2026 00:00:00,,,,,,,,,,,
Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.
RKL51ZDR4F,01-11-2026 12:13:25,01-11-2026 12:13:25,Pay Bill from 2547******126 - NICHOLAS Acc. PG-10234,Completed,50.00,,6549247.00,TRUE,Pay Utility,2547******126 - NICHOLAS,,PG-10234
RKL51ZDR4K,01-11-2026 12:20:02,01-11-2026 12:20:02,Pay merchant Charge,Completed,,-0.55,6549246.45,TRUE,Merchant Charge,600966 - ACME SOLAR LTD,RKL51ZDR4F,
RKM00REV01,01-11-2026 15:01:11,01-11-2026 15:01:11,Reversal of RKL51ZDR4F,Completed,,-50.00,6549196.45,TRUE,Pay Utility Reversal,2547******126 - NICHOLAS,RKL51ZDR4F,PG-10234
`;

export const HEADER =
  "Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Reason Type,Other Party Info,Linked Transaction ID,A/C No.";

/** A payment's line under `HEADER`. */
export const paymentLine = (receipt: string, amount = "50.00", name = "NICHOLAS"): string =>
  `${receipt},01-11-2026 12:13:25,Pay Bill from 2547******126 - ${name} Acc. PG-10234,Completed,${amount},,1000.00,Pay Utility,2547******126 - ${name},,PG-10234`;
export const feeLine = (receipt: string, amount = "-0.55"): string =>
  `${receipt},01-11-2026 12:20:02,Pay merchant Charge,Completed,,${amount},999.45,Merchant Charge,600966 - ACME SOLAR LTD,RKLPAY0001,`;

export const receiptNumber = (number: number): string => `RKP${number.toString(36).toUpperCase().padStart(7, "0")}`;

export interface Bureau {
  readonly statements: Statements;
  import(file: string | Uint8Array, order?: Partial<ImportOrder>): Promise<StatementReport>;
  count(table: string): Promise<number>;
  rows(query: string): Promise<readonly Record<string, unknown>[]>;
}

/** The statements of one channel on a database of the test's own. Every channel of a file starts empty. */
export function makeBureau(
  db: () => Db,
  { channel = KENYA, store = storeArrivals }: { channel?: Channel; store?: StoreArrivals } = {},
): Bureau {
  const clock = makeManualClock(new Date("2026-11-02T05:00:00Z"));
  const makeId = makeIds(clock);
  const statements = makeStatements({
    db: db(),
    clock,
    makeId,
    ledger: makeLedger({ clock, makeId }),
    storeArrivals: store,
    spoolFolder: tmpdir(),
  });
  const rows = async (query: string) => await db().execute(sql.raw(query));
  return {
    statements,
    rows,
    import: (file, order) =>
      statements.importStatement(inPieces(typeof file === "string" ? Buffer.from(file) : file), {
        channel,
        shortcode: "600966",
        format: "mpesa",
        fileName: "statement.csv",
        actor: "staff:1",
        ...order,
      }),
    count: async (table) => Number((await rows(`select count(*) as n from ${table}`))[0]?.["n"]),
  };
}

/** As an upload comes: cut anywhere, also within a character. */
async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1_021) yield await Promise.resolve(bytes.subarray(at, at + 1_021));
}
