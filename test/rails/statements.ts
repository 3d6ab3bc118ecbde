import { formatDecimal } from "../../simulators/rail/currency.ts";
import type { SimulatedTransaction } from "../../simulators/rail/face.ts";
import type { RailSimulator } from "../../simulators/rail/rail-simulator.ts";
import type { App } from "../../src/app.ts";
import type { StatementReport } from "../../src/payments/statements/statement-report.ts";

/** Providers whose portal is the only one to tell some things, and our account there as the books call it. */
const EXPORTING: Readonly<Record<string, string>> = {
  "mtn-ug": "mtnsimulated",
  "airtel-zm": "airtel-zm",
  "orange-ci": "orange-ci",
  "pawapay-rw": "pawapay-rw",
};
const MPESA = { channel: "mpesa-ke", shortcode: "600966" } as const;
const MAPPING_NAME = "portal export";
const ACTOR = "test:rails";

/** How a person told Washa to read the portals' export. */
const MAPPING = {
  columns: {
    reference: "Transaction",
    time: "Time",
    amount: { signed: "Amount" },
    account: "Account",
    payerPhone: "Phone",
    linked: "Linked to",
    details: "Type",
  },
  timeFormat: "ISO 8601",
  kinds: [
    { when: { column: "Type", contains: "reversal" }, kind: "reversal" },
    { when: { column: "Type", contains: "payout" }, kind: "disbursement" },
  ],
};

/** Imports each provider's file of the whole period, as an operator does; answers the reports by channel. */
export async function importStatements(
  app: App,
  simulator: RailSimulator,
  { from, to }: { from: Date; to: Date },
): Promise<ReadonlyMap<string, StatementReport>> {
  const { database, rails, statements } = app;
  await database.db.transaction((tx) =>
    statements.saveMapping(tx, { name: MAPPING_NAME, mapping: MAPPING, actor: ACTOR }),
  );
  const reports = new Map<string, StatementReport>();
  const take = async (
    name: string,
    file: { shortcode: string; format: "mpesa" | { mapping: string }; fileName: string; bytes: Uint8Array },
  ): Promise<void> => {
    const { bytes, ...order } = file;
    const open = rails.get(name);
    if (open === undefined) throw new Error(`The program has no channel ${name}.`);
    const report = await statements.importStatement(piecesOf(bytes), { ...order, channel: open.config, actor: ACTOR });
    reports.set(name, report);
  };
  const mpesa = simulator.statement(MPESA.channel, { from, to });
  if (mpesa === undefined) throw new Error("M-Pesa gives no statement.");
  if (simulator.held(MPESA.channel).length > 0)
    await take(MPESA.channel, { shortcode: MPESA.shortcode, format: "mpesa", ...mpesa });
  for (const [name, shortcode] of Object.entries(EXPORTING)) {
    const lines = simulator
      .transactions(name)
      .filter(({ status }) => status === "completed")
      .map((row) => exportLine(row, name));
    if (lines.length === 0) continue;
    const text = ["Transaction,Time,Amount,Account,Phone,Linked to,Type", ...lines].join("\r\n");
    const file = { fileName: `${name}.csv`, bytes: Buffer.from(`${text}\r\n`) };
    await take(name, { shortcode, format: { mapping: MAPPING_NAME }, ...file });
  }
  return reports;
}

/** What M-Pesa kept, by its statement. */
export const feesOf = (reports: ReadonlyMap<string, StatementReport>): ReadonlyMap<string, bigint> =>
  new Map([...reports].map(([name, { byKind }]) => [name, byKind.fee?.amountMinor ?? 0n]));

function exportLine(row: SimulatedTransaction, channel: string): string {
  const isIn = row.kind === "payment";
  const amount = formatDecimal(row.amountMinor, row.currency);
  return [
    referenceOf(row, channel),
    (row.endedAt ?? row.beganAt).toISOString(),
    isIn ? amount : `-${amount}`,
    isIn ? row.reference : "",
    row.phone,
    row.kind === "reversal" ? (row.original ?? "") : "",
    { payment: "payment", reversal: "reversal", disbursement: "payout", fee: "fee" }[row.kind],
  ].join(",");
}

/** Airtel gives a reversal no name of its own. */
function referenceOf({ id, kind, original = "" }: SimulatedTransaction, channel: string): string {
  return channel === "airtel-zm" && kind === "reversal" ? `TR-${original}` : id;
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
