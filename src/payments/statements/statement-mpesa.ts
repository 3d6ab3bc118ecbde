import type { Channel } from "../rails/rail.ts";
import { readDarajaStatementHeader, readDarajaStatementLine } from "../rails/daraja/statement.ts";
import { isRefusedLine } from "../rails/statement-line.ts";
import { isFooter, type StatementFormat } from "./statement-format.ts";

const REQUIRED = ["Receipt No.", "Completion Time", "Transaction Status", "Paid In", "Withdrawn"] as const;

const bare = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The M-Pesa organisation statement, as its portal exports it. */
export function makeMpesaFormat({ currency, zone }: Channel): StatementFormat {
  return {
    name: "the M-Pesa organisation statement",
    reading: "mpesa",
    ownAccountLabel: "Short Code",
    openHeader(header) {
      const columns = readDarajaStatementHeader(header);
      if (columns === undefined) {
        const present = new Set(header.map(bare));
        return { missing: REQUIRED.filter((name) => !present.has(bare(name))) };
      }
      return {
        read(cells) {
          const reference = cells[columns.receipt] ?? "";
          if (isFooter({ reference, time: cells[columns.completedAt] ?? "" })) return "not_a_transaction";
          if (bare(reference) === "receiptno") return "not_a_transaction";
          const line = readDarajaStatementLine(cells, columns, { currency, zone });
          const isCompleted = bare(cells[columns.status] ?? "") === "completed";
          // What did not complete moved nothing, though the export may show what it would have moved.
          return isRefusedLine(line) || isCompleted ? line : { ...line, amountMinor: 0n };
        },
      };
    },
  };
}
