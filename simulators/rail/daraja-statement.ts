import { createHash } from "node:crypto";
import { dayFirst, decimal, masked } from "./daraja-bodies.ts";
import type { SimulatedChannel, SimulatedTransaction } from "./face.ts";

const HEADER = [
  "Receipt No.",
  "Completion Time",
  "Initiation Time",
  "Details",
  "Transaction Status",
  "Paid In",
  "Withdrawn",
  "Balance",
  "Balance Confirmed",
  "Reason Type",
  "Other Party Info",
  "Linked Transaction ID",
  "A/C No.",
] as const;

/** M-Pesa charges the organisation for one payment in so many, 0.55 % of it. */
const FEE_EVERY = 5;
const FEE_PER_TEN_THOUSAND = 55n;

interface Movement {
  readonly id: string;
  readonly at: Date;
  readonly details: string;
  readonly amountMinor: bigint;
  readonly reason: string;
  readonly otherParty: string;
  readonly linked: string;
  readonly account: string;
}

/** The organisation portal's export of a period, `from` inclusive, `to` exclusive: preamble, header, one line a movement. */
export function writeDarajaStatement(
  transactions: readonly SimulatedTransaction[],
  { from, to }: { from: Date; to: Date },
  { channel, shortcode }: { channel: SimulatedChannel; shortcode: string },
): { readonly fileName: string; readonly bytes: Uint8Array } {
  const kindOf = new Map(transactions.map(({ id, kind }) => [id, kind]));
  const movements = transactions
    .filter(({ status, endedAt }) => status === "completed" && endedAt !== undefined && endedAt < to)
    .sort((left, right) => timeOf(left) - timeOf(right))
    .flatMap((transaction) => [movementOf(transaction, { kindOf, shortcode }), ...feeOf(transaction, shortcode)]);
  const lines: (readonly string[])[] = [
    ["Account Holder:", "ACME SOLAR LTD", ...blanks(11)],
    ["Short Code:", shortcode, ...blanks(11)],
    ["Account:", "Utility Account", ...blanks(11)],
    ["Time Period:", `From ${dayFirst(from, channel.zone, "-")} To ${dayFirst(to, channel.zone, "-")}`, ...blanks(11)],
    HEADER,
  ];
  let balanceMinor = 0n;
  for (const movement of movements) {
    balanceMinor += movement.amountMinor;
    if (movement.at < from) continue;
    lines.push(lineOf(movement, balanceMinor, channel));
  }
  const day = dayFirst(from, channel.zone, "").split(" ")[0] ?? "";
  return {
    fileName: `ORG_${shortcode}_Utility Account_${day}.csv`,
    bytes: Buffer.from(lines.map((cells) => `${cells.map(quote).join(",")}\r\n`).join("")),
  };
}

const timeOf = ({ endedAt }: SimulatedTransaction): number => endedAt?.getTime() ?? 0;
const blanks = (count: number): readonly string[] => Array.from({ length: count }, () => "");
const quote = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

function movementOf(
  transaction: SimulatedTransaction,
  { kindOf, shortcode }: { kindOf: ReadonlyMap<string, SimulatedTransaction["kind"]>; shortcode: string },
): Movement {
  const { id, kind, reference, amountMinor, original = "" } = transaction;
  const payer = `${masked(transaction.phone, "")} - ${transaction.payerName.toUpperCase()}`;
  const common = {
    id,
    at: transaction.endedAt ?? transaction.beganAt,
    otherParty: payer,
    linked: "",
    account: reference,
  };
  switch (kind) {
    case "payment":
      return reference === ""
        ? { ...common, amountMinor, details: `Merchant Payment from ${payer}`, reason: "Customer Merchant Payment" }
        : { ...common, amountMinor, details: `Pay Bill from ${payer} Acc. ${reference}`, reason: "Pay Utility" };
    case "reversal": {
      // What was paid out comes back in.
      const isOfPayout = kindOf.get(original) === "disbursement";
      return {
        ...common,
        amountMinor: isOfPayout ? amountMinor : -amountMinor,
        details: `Reversal of ${original}`,
        reason: isOfPayout ? "Business Payment to Customer Reversal" : "Pay Utility Reversal",
        linked: original,
      };
    }
    case "disbursement": {
      const reason = "Business Payment to Customer via API";
      return { ...common, amountMinor: -amountMinor, details: `${reason} to ${payer}`, reason };
    }
    case "fee":
      return { ...common, ...feeWords(shortcode), amountMinor: -amountMinor, linked: original, account: "" };
  }
}

const feeWords = (shortcode: string) => ({
  details: "Pay merchant Charge",
  reason: "Merchant Charge",
  otherParty: `${shortcode} - ACME SOLAR LTD`,
});

/** Derived from the payment's own reference, so that two exports of one day are alike. */
function feeOf(
  { id, kind, amountMinor, endedAt, beganAt }: SimulatedTransaction,
  shortcode: string,
): readonly Movement[] {
  const digest = createHash("sha256").update(id).digest();
  const feeMinor = (amountMinor * FEE_PER_TEN_THOUSAND) / 10_000n;
  if (kind !== "payment" || digest.readUInt32BE(0) % FEE_EVERY !== 0 || feeMinor === 0n) return [];
  const own = `F${digest.readBigUInt64BE(8).toString(36).toUpperCase().padStart(9, "0").slice(-9)}`;
  return [{ id: own, at: endedAt ?? beganAt, ...feeWords(shortcode), amountMinor: -feeMinor, linked: id, account: "" }];
}

function lineOf(movement: Movement, balanceMinor: bigint, { currency, zone }: SimulatedChannel): readonly string[] {
  const at = dayFirst(movement.at, zone, "-");
  const amount = withThousands(decimal(movement.amountMinor, currency));
  return [
    movement.id,
    at,
    at,
    movement.details,
    "Completed",
    movement.amountMinor > 0n ? amount : "",
    movement.amountMinor > 0n ? "" : amount,
    withThousands(decimal(balanceMinor, currency)),
    "TRUE",
    movement.reason,
    movement.otherParty,
    movement.linked,
    movement.account,
  ];
}

const withThousands = (text: string): string => text.replace(/\B(?=(\d{3})+\.)/g, ",");
