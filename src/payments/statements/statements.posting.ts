import { bankAccount, feesAccount } from "../receipts/accounts.ts";
import { IdempotencyConflict } from "../../kernel/refusal.ts";
import type { AccountId, Entry, Ledger } from "../../ledger/ledger.ts";
import type { Tx } from "../../platform/database.ts";
import { count, type ImportedLine, type Tally } from "./statement-report.ts";
import * as reports from "./statement-reports.store.ts";
import type { ImportSetting } from "./statements.batch.ts";
import * as store from "./statements.store.ts";
import { localDateOf } from "../../kernel/time.ts";

const BATCH_ENTRIES = 1_000;

/**
 * Posts what the provider kept or paid out to the bank: fees and settlements, each once by its reference. It comes last
 * in an import, because from the first posting on nobody else can book on this clearing account until the import ends.
 */
export async function postStatement(
  tx: Tx,
  { setting, actor, tally, ledger }: { setting: ImportSetting; actor: string; tally: Tally; ledger: Ledger },
): Promise<void> {
  if (!tally.byKind.has("fee") && !tally.byKind.has("settlement")) return;
  const entryOf = await makeEntries(tx, { setting, actor, ledger });
  for (let afterLine = 0; ;) {
    const page = { statementId: setting.statementId, afterLine, first: BATCH_ENTRIES };
    const lines = await reports.linesToPost(tx, page);
    const last = lines.at(-1);
    if (last === undefined) return;
    const differing = await postLines(tx, { lines, entryOf, ledger });
    if (differing.length > 0) await refuse(tx, differing, { setting, tally });
    afterLine = last.line;
  }
}

async function makeEntries(
  tx: Tx,
  { setting, actor, ledger }: { setting: ImportSetting; actor: string; ledger: Ledger },
): Promise<(line: ImportedLine) => Entry> {
  const { channel, shortcode, makeId } = setting;
  const { name: rail, currency } = channel;
  const ids = await ledger.openAccounts(tx, [
    { code: `system/clearing/${rail}/${shortcode}/${currency}`, kind: "asset", currency },
    feesAccount(rail, currency),
    bankAccount(currency),
  ]);
  const [clearing, fees, bank] = ids;
  if (clearing === undefined || fees === undefined || bank === undefined)
    throw new Error("Bug: the accounts of a statement were not opened.");
  return ({ kind, providerId = "", amountMinor = 0n, at }) => {
    if (at === undefined) throw new Error(`Bug: the line ${providerId} has no time.`);
    const other: AccountId = kind === "fee" ? fees : bank;
    return {
      id: makeId(),
      kind: kind === "fee" ? "rail_fee" : "settlement",
      memo: `${rail} ${providerId}`,
      reference: providerId,
      idempotencyKey: `${kind === "fee" ? "fee" : "settlement"}:${rail}:${providerId}`,
      currency,
      effectiveAt: at,
      actor,
      // What went out of the provider's account is below zero: it leaves the clearing account for the other one.
      lines: [
        { accountId: other, amountMinor: -amountMinor },
        { accountId: clearing, amountMinor },
      ],
    };
  };
}

/** Posts lines together; where one was posted before with other facts, each alone. Answers those that differ. */
async function postLines(
  tx: Tx,
  {
    lines,
    entryOf,
    ledger,
  }: { lines: readonly ImportedLine[]; entryOf: (line: ImportedLine) => Entry; ledger: Ledger },
): Promise<readonly ImportedLine[]> {
  const agrees = async (some: readonly ImportedLine[]): Promise<boolean> => {
    try {
      await tx.transaction((inner) => ledger.post(inner, some.map(entryOf)));
      return true;
    } catch (error) {
      if (error instanceof IdempotencyConflict) return false;
      throw error;
    }
  };
  if (await agrees(lines)) return [];
  const differing: ImportedLine[] = [];
  for (const line of lines) if (!(await agrees([line]))) differing.push(line);
  return differing;
}

async function refuse(
  tx: Tx,
  lines: readonly ImportedLine[],
  { setting, tally }: { setting: ImportSetting; tally: Tally },
): Promise<void> {
  const { statementId, channel, receivedAt, makeId } = setting;
  const detail = "The books have this reference with another amount or on another account of ours.";
  await store.refuseLines(tx, { statementId, lines: lines.map(({ line }) => line), detail });
  const exceptions = lines.map(({ providerId = "", amountMinor = 0n, at = receivedAt }) => ({
    id: makeId(),
    kind: "line_conflict" as const,
    subject: providerId,
    onDate: localDateOf(at, channel.zone),
    amountMinor,
    detail,
  }));
  await store.openExceptions(tx, { rail: channel.name, currency: channel.currency, openedAt: receivedAt, exceptions });
  for (const line of lines) {
    count(tally, line, -1);
    count(tally, { ...line, outcome: "refused" });
  }
  tally.exceptions += lines.length;
}
