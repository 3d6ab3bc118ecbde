import { describe, expect, test } from "vitest";
import {
  readDarajaStatementHeader,
  readDarajaStatementLine,
  type DarajaColumns,
} from "../../../../src/payments/rails/daraja/statement.ts";
import { isRefusedLine, type StatementLine } from "../../../../src/payments/rails/statement-line.ts";
import { STATEMENT } from "./samples.ts";

const TERMS = { currency: "KES", zone: "Africa/Nairobi" } as const;
const HEADER =
  "Receipt No.|Completion Time|Details|Transaction Status|Paid In|Withdrawn|Balance|Reason Type|Other Party Info|Linked Transaction ID|A/C No.".split(
    "|",
  );
const VALUES = {
  "Receipt No.": "RKL51ZDR4F",
  "Completion Time": "01-11-2026 12:13:25",
  Details: "Pay Bill from 2547******126 - NICHOLAS Acc. PG-10234",
  "Transaction Status": "Completed",
  "Paid In": "50.00",
  "Reason Type": "Pay Utility",
  "Other Party Info": "2547******126 - NICHOLAS",
  "A/C No.": "PG-10234",
} as const;

describe("the documented statement", () => {
  test("its header is found below the preamble, and each line is what it is", () => {
    const rows = STATEMENT.trim()
      .split("\n")
      .map((row) => row.split(","));
    const found = rows.findIndex((row) => readDarajaStatementHeader(row) !== undefined);
    expect(found).toBe(4);
    const columns = columnsOf(rows[found] ?? []);
    const lines = rows.slice(found + 1).map((row) => readDarajaStatementLine(row, columns, TERMS));
    expect(lines).toMatchObject([
      {
        lineReference: "RKL51ZDR4F",
        kind: "payment",
        type: "billpay",
        amountMinor: 5_000n,
        at: new Date("2026-11-01T09:13:25Z"),
        reference: "PG-10234",
        payerPhone: undefined,
        payerName: "NICHOLAS",
        linked: undefined,
        balanceMinor: 654_924_700n,
      },
      { lineReference: "RKL51ZDR4K", kind: "fee", type: undefined, amountMinor: -55n, linked: "RKL51ZDR4F" },
      {
        lineReference: "RKM00REV01",
        kind: "reversal",
        type: "reversal",
        amountMinor: -5_000n,
        at: new Date("2026-11-01T12:01:11Z"),
        linked: "RKL51ZDR4F",
      },
    ]);
  });

  test("names count in any order and case, and without the needed ones there is no header", () => {
    const shuffled = ["WITHDRAWN", "\ufeffreceipt no", "Paid in ", "Transaction  status", "COMPLETION TIME"];
    expect(readDarajaStatementHeader(shuffled)).toMatchObject({
      receipt: 1,
      completedAt: 4,
      paidIn: 2,
      account: undefined,
    });
    for (const missing of shuffled)
      expect(readDarajaStatementHeader(shuffled.filter((name) => name !== missing))).toBeUndefined();
    expect(readDarajaStatementHeader(["Account Holder:", "ACME SOLAR LTD"])).toBeUndefined();
  });
});

describe("a line", () => {
  test.each<[string, Record<string, string>, Partial<StatementLine>]>([
    ["thousands have separators", { "Paid In": "10,000.00" }, { amountMinor: 1_000_000n, kind: "payment" }],
    [
      "what is withdrawn is below zero, whatever its sign",
      out("Organization Settlement", "1,250,000.00"),
      { kind: "settlement", amountMinor: -125_000_000n },
    ],
    ["business transfers go to our own accounts", out("Business Transfer", "-9.00"), { kind: "settlement" }],
    ["so does money to the bank", out("Withdrawal of Funds to Bank", "-9.00"), { kind: "settlement" }],
    [
      "pay-outs are disbursements",
      out("Business Payment to Customer via API", "-10.00"),
      { kind: "disbursement", type: "disbursement", amountMinor: -1_000n },
    ],
    [
      "a charge under its payment's number gets its own",
      { ...out("Pay Utility Charge", "-0.55") },
      { kind: "fee", lineReference: "RKL51ZDR4F-FEE" },
    ],
    [
      "another organisation's money is a transfer",
      { "Reason Type": "Organization To Organization Transfer" },
      { kind: "payment", type: "transfer" },
    ],
    [
      "a shortcode as payer is an organisation",
      { "Other Party Info": "600310 - ACME" },
      { kind: "payment", type: "transfer" },
    ],
    [
      "money in of a kind that nobody knows is still money",
      { "Reason Type": "Something New", Details: "" },
      { kind: "payment", type: "transfer" },
    ],
    ["money out of a kind that nobody knows is not guessed", out("Something New", "-1.00"), { kind: "other" }],
    [
      "a till has no account",
      { "A/C No.": "", "Reason Type": "Customer Merchant Payment" },
      { kind: "payment", type: "merchantpay" },
    ],
    ["without a reason the details tell", { "Reason Type": "" }, { kind: "payment", type: "billpay" }],
    ["what did not complete is nothing", { "Transaction Status": "Cancelled" }, { kind: "other", type: undefined }],
    [
      "a clear payer is known",
      { "Other Party Info": "254708374149 - John Doe" },
      { payerPhone: "+254708374149", payerName: "John Doe" },
    ],
    ["years may come first", { "Completion Time": "2026-11-01 12:13:25" }, { at: new Date("2026-11-01T09:13:25Z") }],
    [
      "a reversal may name its payment in its details",
      { ...out("Pay Utility Reversal", "-50.00"), Details: "Reversal of RKL51ZDR4A" },
      { kind: "reversal", linked: "RKL51ZDR4A" },
    ],
    [
      "a reversed pay-out comes back in",
      { "Reason Type": "Business Payment to Customer Reversal", "Linked Transaction ID": "RKL51ZDR4A" },
      { kind: "reversal", amountMinor: 5_000n },
    ],
  ])("%s", (_name, changes, expected) => {
    expect(read(changes)).toMatchObject(expected);
  });

  test.each<[string, Record<string, string>]>([
    ["a footer", { "Receipt No.": "Total" }],
    ["no receipt", { "Receipt No.": "" }],
    ["both in and out", { Withdrawn: "-1.00" }],
    ["neither in nor out", { "Paid In": "" }],
    ["a wrong separator", { "Paid In": "10,00.00" }],
    ["a negative payment", { "Paid In": "-10.00" }],
    ["half a cent", { "Paid In": "10.005" }],
    ["letters for an amount", { "Paid In": "ten" }],
    ["more than a rail carries", { "Paid In": "1,000,000,000.01" }],
    ["month first", { "Completion Time": "11-20-2026 12:13:25" }],
    ["no time", { "Completion Time": "" }],
    ["a balance that is no number", { Balance: "much" }],
    ["a reversal of nothing", { ...out("Pay Utility Reversal", "-50.00"), Details: "Reversal" }],
  ])("%s is refused with a reason that does not name the payer", (_name, changes) => {
    const line = readDarajaStatementLine(
      cellsOf({ "Other Party Info": "254708374149 - John Doe", ...changes }),
      columnsOf(HEADER),
      TERMS,
    );
    expect(isRefusedLine(line)).toBe(true);
    expect(JSON.stringify(line)).not.toContain("254708374149");
  });

  test("a row that is shorter than the header is read as far as it goes", () => {
    expect(isRefusedLine(readDarajaStatementLine(["RKL51ZDR4F"], columnsOf(HEADER), TERMS))).toBe(true);
    expect(isRefusedLine(readDarajaStatementLine([], columnsOf(HEADER), TERMS))).toBe(true);
  });
});

function out(reason: string, withdrawn: string): Record<string, string> {
  return { "Reason Type": reason, Details: reason, "Paid In": "", Withdrawn: withdrawn };
}

function cellsOf(changes: Record<string, string>): readonly string[] {
  const values: Record<string, string> = { ...VALUES, ...changes };
  return HEADER.map((name) => values[name] ?? "");
}

function read(changes: Record<string, string>): StatementLine {
  const line = readDarajaStatementLine(cellsOf(changes), columnsOf(HEADER), TERMS);
  if (isRefusedLine(line)) throw new Error(line.refused);
  return line;
}

function columnsOf(header: readonly string[]): DarajaColumns {
  const columns = readDarajaStatementHeader(header);
  if (columns === undefined) throw new Error("No header.");
  return columns;
}
