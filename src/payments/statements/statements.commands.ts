import { InvalidInput, NotFound } from "../../kernel/refusal.ts";
import type { MakeId } from "../../kernel/ids.ts";
import { DAY_MS, type Clock } from "../../kernel/time.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { isTransient, type Db, type Tx } from "../../platform/database.ts";
import type { Channel } from "../rails/rail.ts";
import { makeMappedFormat } from "../rails/statement-file/mapped-format.ts";
import { parseMapping } from "../rails/statement-file/mapping.ts";
import type { StatementFormat } from "./statement-format.ts";
import { findHeader, type Header } from "./statement-header.ts";
import { readLine, type ReadLine } from "./statement-lines.ts";
import * as mappings from "./statement-mappings.store.ts";
import { makeMpesaFormat } from "./statement-mpesa.ts";
import { previewFile, type Preview } from "./statement-preview.ts";
import { readRecords } from "./statement-records.ts";
import { count, makeTally, type SavedMapping, type StatementReport, type Tally } from "./statement-report.ts";
import * as reports from "./statement-reports.store.ts";
import { writeBatch, type ImportSetting, type StoreArrivals } from "./statements.batch.ts";
import { postStatement } from "./statements.posting.ts";
import { removeLeftovers, spool, type SpooledFile } from "./statements.spool.ts";
import * as store from "./statements.store.ts";

/** More than four years of two thousand lines a day, or one day of a very large seller. */
export const STATEMENT_BYTES_MAX = 1_500_000_000;
const LINES_MAX = 5_000_000;
/** One statement a table writes so many lines; more only makes a longer wait for the first report of progress. */
const BATCH_LINES = 1_000;
/** The header must stand in so many first characters. */
const HEAD_CHARACTERS_MAX = 262_144;
/** Above so many refused lines, a file of which more than half is refused is not what its reader was told. */
const REFUSED_LINES_SUSPICIOUS = 1_000;
const ATTEMPTS_MAX = 3;
/** No upload and no import takes so long; younger files may be another process's work. */
const LEFTOVER_AGE_MS = DAY_MS;

export interface ImportOrder {
  readonly channel: Channel;
  /** Our account that the file is of: it names the clearing account. A file that names another one is refused. */
  readonly shortcode: string;
  readonly format: "mpesa" | { readonly mapping: string };
  readonly fileName: string;
  readonly actor: string;
  /** Called now and then with how far the import is; lines of an attempt that had to begin again count anew. */
  readonly onProgress?: ((progress: { readonly lines: number }) => void) | undefined;
  /** Writes who did this, in the import's own transaction, so that neither stays without the other. */
  readonly record?:
    ((tx: Tx, done: { readonly report: StatementReport; readonly sha256: string }) => Promise<void>) | undefined;
}

export interface Statements {
  /**
   * Imports a whole file or nothing of it. The same file again answers the first report. Throws InvalidInput for a file
   * that cannot be what it is said to be; single lines that cannot be read are refused in the report and on the desk.
   */
  importStatement(file: AsyncIterable<Uint8Array>, order: ImportOrder): Promise<StatementReport>;
  findStatement(db: Db | Tx, id: string): Promise<StatementReport | undefined>;
  listStatements: typeof reports.listStatements;
  linesOf: typeof reports.listLines;
  /** Keeps a mapping under a name, in place of an earlier one. Throws InvalidInput for one that cannot work. */
  saveMapping(tx: Tx, order: { name: string; mapping: unknown; actor: string }): Promise<SavedMapping>;
  listMappings(db: Db | Tx): Promise<readonly SavedMapping[]>;
  /** Removes what processes that died amid an import left on disk. Call it when this one starts. */
  removeLeftovers(): Promise<void>;
  /** How a mapping would read the first lines of a file; stores nothing. `head` may end anywhere. */
  previewMapping(order: { head: Uint8Array; mapping: unknown; channel: Channel }): Promise<Preview>;
}

/** Statement files: what providers list, held against the books. */
export function makeStatements({
  db,
  clock,
  makeId,
  ledger,
  storeArrivals,
  spoolFolder,
}: {
  db: Db;
  clock: Clock;
  makeId: MakeId;
  ledger: Ledger;
  storeArrivals: StoreArrivals;
  /** Where files lie while they are imported; this program's user alone can read them. */
  spoolFolder: string;
}): Statements {
  async function formatOf({ channel, format }: ImportOrder): Promise<StatementFormat> {
    if (format === "mpesa") return makeMpesaFormat(channel);
    const mapping = await mappings.findMapping(db, format.mapping);
    if (mapping === undefined) throw new NotFound("mapping", "mapping");
    return makeMappedFormat({ name: format.mapping, mapping, channel });
  }

  async function importStatement(file: AsyncIterable<Uint8Array>, order: ImportOrder): Promise<StatementReport> {
    if (!/^\w[\w.-]{0,39}$/.test(order.shortcode))
      throw new InvalidInput("The own account has 1 to 40 letters and digits.", "shortcode");
    const format = await formatOf(order);
    const spooled = await spool(file, { folder: spoolFolder, bytesMax: STATEMENT_BYTES_MAX });
    try {
      const header = findHeader(await headOf(spooled), format);
      assertOwnAccount(header, order.shortcode);
      return await importSpooled({ spooled, header, format, order });
    } finally {
      await spooled.discard();
    }
  }

  /** A deadlock with a door or a lost connection costs an attempt and nothing else: the file is still here. */
  async function importSpooled(work: Work): Promise<StatementReport> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await db.transaction(async (tx) => {
          const report = await importOnce(tx, work);
          await work.order.record?.(tx, { report, sha256: Buffer.from(work.spooled.sha256).toString("hex") });
          return report;
        });
      } catch (error) {
        if (attempt === ATTEMPTS_MAX || !isTransient(error)) throw error;
      }
    }
  }

  async function importOnce(tx: Tx, { spooled, header, format, order }: Work): Promise<StatementReport> {
    const { channel, shortcode, actor } = order;
    const statementId = makeId();
    const receivedAt = clock.now();
    const isNew = await store.insertStatement(tx, {
      id: statementId,
      rail: channel.name,
      shortcode,
      fileName: order.fileName.slice(0, 255),
      sha256: spooled.sha256,
      reading: format.reading,
      format: order.format === "mpesa" ? "mpesa" : `mapping ${order.format.mapping}`,
      encoding: spooled.encoding,
      bytes: spooled.bytes,
      importedBy: actor,
      importedAt: receivedAt,
    });
    if (!isNew) {
      const first = await reports.findStatement(tx, {
        rail: channel.name,
        sha256: spooled.sha256,
        reading: format.reading,
      });
      if (first === undefined) throw new Error("Bug: a statement that was there is gone.");
      return { ...first, isRepeated: true };
    }
    const fileMark = Buffer.from(spooled.sha256).toString("hex").slice(0, 12);
    const setting = { statementId, channel, shortcode, fileMark, receivedAt, storeArrivals, makeId };
    const tally = makeTally();
    await writeLines(tx, { spooled, header, setting, tally, onProgress: order.onProgress });
    await postStatement(tx, { setting, actor, tally, ledger });
    await store.resolveUnreadable(tx, {
      statementId,
      rail: channel.name,
      subjectStart: fileMark,
      at: receivedAt,
      by: actor,
    });
    await store.finishStatement(tx, statementId, tally);
    const report = await reports.findStatement(tx, { id: statementId });
    if (report === undefined) throw new Error("Bug: a statement left no report.");
    return report;
  }

  async function saveMapping(
    tx: Tx,
    { name, mapping, actor }: { name: string; mapping: unknown; actor: string },
  ): Promise<SavedMapping> {
    if (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,59}$/u.test(name))
      throw new InvalidInput("A mapping's name has 1 to 60 letters, digits, spaces, dots and dashes.", "name");
    const saved = { name, mapping: parseMapping(mapping), savedBy: actor, savedAt: clock.now() };
    await mappings.saveMapping(tx, saved);
    return saved;
  }

  return {
    importStatement,
    findStatement: (where, id) => reports.findStatement(where, { id }),
    listStatements: reports.listStatements,
    linesOf: reports.listLines,
    saveMapping,
    listMappings: mappings.listMappings,
    removeLeftovers: () => removeLeftovers(spoolFolder, new Date(clock.now().getTime() - LEFTOVER_AGE_MS)),
    previewMapping: async ({ head, mapping, channel }) =>
      await previewFile(head, makeMappedFormat({ name: "this mapping", mapping: parseMapping(mapping), channel })),
  };
}

interface Work {
  readonly spooled: SpooledFile;
  readonly header: Header;
  readonly format: StatementFormat;
  readonly order: ImportOrder;
}

async function headOf(spooled: SpooledFile): Promise<string> {
  let head = "";
  for await (const piece of spooled.text()) {
    head += piece;
    if (head.length >= HEAD_CHARACTERS_MAX) break;
  }
  return head;
}

/** "600966", "600 966" and "600966 - ACME SOLAR LTD" are all the account 600966. */
function assertOwnAccount({ ownAccount }: Header, shortcode: string): void {
  if (ownAccount === undefined) return;
  const bare = (text: string): string => text.replace(/[\s-]/g, "").toLowerCase();
  const [first = ""] = ownAccount.split(/\s+-|\s+\D/);
  if (bare(ownAccount) !== bare(shortcode) && bare(first) !== bare(shortcode))
    throw new InvalidInput(`This file is of the account ${ownAccount.slice(0, 40)}, not of ${shortcode}.`, "shortcode");
}

async function writeLines(
  tx: Tx,
  {
    spooled,
    header,
    setting,
    tally,
    onProgress,
  }: {
    spooled: SpooledFile;
    header: Header;
    setting: ImportSetting;
    tally: Tally;
    onProgress: ImportOrder["onProgress"];
  },
): Promise<void> {
  let firstRefusal: string | undefined;
  const write = async (batch: readonly ReadLine[]): Promise<void> => {
    const { lines, exceptions } = await writeBatch(tx, batch, setting);
    for (const line of lines) count(tally, line);
    tally.exceptions += exceptions;
    firstRefusal ??= lines.find(({ outcome }) => outcome === "refused")?.detail;
    assertPlausible(tally, firstRefusal);
    onProgress?.({ lines: tally.linesTotal });
  };
  // While the database writes one batch the next is read. Whatever fails, nothing may be under way when this ends.
  let writing = Promise.allSettled([Promise.resolve()]);
  const settled = async (): Promise<void> => {
    const [result] = await writing;
    if (result.status === "rejected") throw result.reason;
  };
  let batch: ReadLine[] = [];
  try {
    for await (const record of readRecords(spooled.text(), header)) {
      batch.push(readLine(record, header.read));
      if (batch.length < BATCH_LINES) continue;
      await settled();
      writing = Promise.allSettled([write(batch)]);
      batch = [];
    }
  } finally {
    await writing;
  }
  await settled();
  if (batch.length > 0) await write(batch);
  if (tally.linesTotal === 0) throw new InvalidInput("This file has a header and no line under it.", "file");
  if (tally.refused > 0 && tally.taken + tally.known === 0)
    throw new InvalidInput(`No line of this file can be read. The first one: ${firstRefusal ?? ""}`, "file");
}

function assertPlausible({ linesTotal, refused }: Tally, firstRefusal: string | undefined): void {
  if (linesTotal > LINES_MAX)
    throw new InvalidInput(`This file has more than ${LINES_MAX} lines. Ask for a shorter period.`, "file");
  if (refused > REFUSED_LINES_SUSPICIOUS && refused * 2 > linesTotal)
    throw new InvalidInput(
      `${refused} of the first ${linesTotal} lines cannot be taken, so nothing was. The first one: ${firstRefusal ?? ""}`,
      "file",
    );
}
