import { createHash } from "node:crypto";
import { parsePhoneNumberFromString, type CountryCode } from "libphonenumber-js";
import { Refusal } from "../../../kernel/refusal.ts";
import { canonicalJson } from "../../../platform/idempotency.ts";
import {
  columnKey,
  isFooter,
  placesOf,
  type LineReader,
  type StatementFormat,
} from "../../statements/statement-format.ts";
import type { Channel } from "../rail.ts";
import type { StatementLine } from "../statement-line.ts";
import { makeAccountFinder } from "./account-pattern.ts";
import { parseAmount } from "./amounts.ts";
import { columnsOf, type Mapping } from "./mapping.ts";
import { makeTimeReader } from "./times.ts";

const REFERENCE_CHARACTERS_MAX = 100;

/** A file of any bank or provider, read as a saved mapping says, in the currency and zone of the channel. */
export function makeMappedFormat({
  name,
  mapping,
  channel,
}: {
  name: string;
  mapping: Mapping;
  channel: Channel;
}): StatementFormat {
  const digest = createHash("sha256").update(canonicalJson(mapping)).digest("hex");
  return {
    name,
    reading: `mapping:${digest}`,
    ownAccountLabel: mapping.ownAccountLabel,
    openHeader(cells) {
      const places = placesOf(cells);
      const missing = columnsOf(mapping).filter((column) => !places.has(columnKey(column)));
      return missing.length > 0 ? { missing } : { read: makeReader({ mapping, channel, places }) };
    },
  };
}

type Cell = (column: string | undefined) => string;

function makeReader({
  mapping,
  channel,
  places,
}: {
  mapping: Mapping;
  channel: Channel;
  places: ReadonlyMap<string, number>;
}): LineReader {
  const { columns } = mapping;
  const at = new Map(columnsOf(mapping).map((column) => [column, places.get(columnKey(column)) ?? -1]));
  const readTime = makeTimeReader(mapping.timeFormat, channel.zone);
  const findAccount = mapping.accountPattern === undefined ? undefined : makeAccountFinder(mapping.accountPattern);
  const completed = new Set((mapping.completed ?? []).map((value) => value.toLowerCase()));
  const rules = mapping.kinds.map(({ when, kind }) => ({ ...when, contains: when.contains.toLowerCase(), kind }));

  return (cells) => {
    const cell: Cell = (column) => (column === undefined ? "" : (cells[at.get(column) ?? -1] ?? "").trim());
    if (isFooter({ reference: cell(columns.reference), time: cell(columns.time) })) return "not_a_transaction";
    if (columnKey(cell(columns.reference)) === columnKey(columns.reference)) return "not_a_transaction";
    try {
      const amountMinor = signedAmount(cell, mapping, channel);
      const isCompleted = columns.status === undefined || completed.has(cell(columns.status).toLowerCase());
      const rule = rules.find(({ column, contains }) => cell(column).toLowerCase().includes(contains));
      const kind = isCompleted ? (rule?.kind ?? (amountMinor > 0n ? "payment" : "other")) : "other";
      const narration = cell(columns.account);
      const balance = columns.balance === undefined ? undefined : readBalance(cell(columns.balance), mapping, channel);
      const linked = cell(columns.linked).toUpperCase();
      const payerName = cell(columns.payerName);
      return {
        lineReference: readReference(cell(columns.reference)),
        kind,
        type: typeOf(kind, mapping),
        // What did not complete moved nothing.
        amountMinor: isCompleted ? amountMinor : 0n,
        at: readTime(cell(columns.time), cell(columns.timeOfDay)),
        reference: findAccount === undefined ? narration : findAccount(narration),
        ...readPhone(cell(columns.payerPhone), channel),
        ...(payerName === "" ? {} : { payerName }),
        ...(linked === "" ? {} : { linked }),
        details: cell(columns.details ?? columns.account),
        ...(balance === undefined ? {} : { balanceMinor: balance }),
      };
    } catch (error) {
      if (error instanceof Refusal) return { refused: error.message };
      throw error;
    }
  };
}

/** Expected while a line is read: it ends as the line's reason. */
class UnreadableCell extends Refusal {
  readonly code = "UNREADABLE_CELL";
}

function readReference(text: string): string {
  if (text === "") throw new UnreadableCell("It has no transaction reference.");
  if (text.length > REFERENCE_CHARACTERS_MAX)
    throw new UnreadableCell(`Its transaction reference is longer than ${REFERENCE_CHARACTERS_MAX} characters.`);
  return text.toUpperCase();
}

/** Money out stands in its own column with or without a minus sign, by the provider; it is always below zero here. */
function signedAmount(cell: Cell, mapping: Mapping, { currency }: Channel): bigint {
  const { amount } = mapping.columns;
  const read = (column: string | undefined): bigint | undefined => parseAmount(cell(column), { ...mapping, currency });
  if ("signed" in amount) {
    const minor = read(amount.signed);
    if (minor === undefined) throw new UnreadableCell("It has no amount.");
    return minor;
  }
  const [paidIn, paidOut] = [read(amount.in), read(amount.out)];
  if (paidIn === undefined && paidOut === undefined) throw new UnreadableCell("It has no amount.");
  if ((paidIn ?? 0n) !== 0n && (paidOut ?? 0n) !== 0n)
    throw new UnreadableCell("It has an amount in and an amount out at once.");
  if ((paidIn ?? 0n) < 0n) throw new UnreadableCell("Its amount in is below zero.");
  const out = paidOut ?? 0n;
  return (paidIn ?? 0n) - (out < 0n ? -out : out);
}

/** Only for a person's comparison, so that one which cannot be read does not cost the line. */
function readBalance(text: string, mapping: Mapping, { currency }: Channel): bigint | undefined {
  try {
    return parseAmount(text, { ...mapping, currency });
  } catch {
    return undefined;
  }
}

function typeOf(kind: StatementLine["kind"], { paymentType }: Mapping): StatementLine["type"] {
  switch (kind) {
    case "payment":
      return paymentType;
    case "reversal":
      return "reversal";
    case "disbursement":
      return "disbursement";
    case "fee":
    case "settlement":
    case "other":
      return undefined;
  }
}

/** A masked number says nothing that could be matched, and none is guessed. */
function readPhone(text: string, { country }: Channel): Pick<StatementLine, "payerPhone" | "payerHash"> {
  if (/^[0-9a-f]{64}$/i.test(text)) return { payerHash: Buffer.from(text, "hex") };
  if (text === "" || text.includes("*")) return {};
  // Providers write the country's code without a plus; people write the national number.
  const digits = text.replace(/[^\d+]/g, "");
  const found = [text, `+${digits.replace(/^\+/, "")}`]
    .map((candidate) => parsePhoneNumberFromString(candidate, country as CountryCode))
    .find((phone) => phone?.isValid());
  if (found === undefined) return {};
  return {
    payerPhone: found.number,
    payerHash: createHash("sha256").update(found.number.slice(1)).digest(),
  };
}
