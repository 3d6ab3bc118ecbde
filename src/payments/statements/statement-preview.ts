import { InvalidInput } from "../../kernel/refusal.ts";
import type { StatementLine } from "../rails/statement-line.ts";
import { binaryKindOf, decode, encodingOf, type Encoding } from "./statement-decoding.ts";
import type { StatementFormat } from "./statement-format.ts";
import { findHeader, type Separator } from "./statement-header.ts";
import { readLine, type ReadLine } from "./statement-lines.ts";
import { readRecords } from "./statement-records.ts";

const LINES_SHOWN = 20;
/** More than this is not a beginning. */
export const PREVIEW_BYTES_MAX = 1_048_576;

/** The first lines of a file as they would be read. */
export interface Preview {
  readonly encoding: Encoding;
  readonly separator: Separator;
  readonly headerLine: number;
  readonly ownAccount: string | undefined;
  readonly lines: readonly PreviewLine[];
}

export type PreviewLine = { readonly line: number; readonly raw: string } & (
  | { readonly outcome: "read"; readonly transaction: StatementLine }
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "skipped" }
);

/** Reads the first lines of a file's beginning, which may end within a line. Throws InvalidInput as an import would. */
export async function previewFile(head: Uint8Array, format: StatementFormat): Promise<Preview> {
  if (head.length === 0) throw new InvalidInput("This file is empty.", "file");
  if (head.length > PREVIEW_BYTES_MAX)
    throw new InvalidInput(`A preview takes at most ${PREVIEW_BYTES_MAX} bytes.`, "file");
  const binary = binaryKindOf(head);
  if (binary !== undefined) throw new InvalidInput(`This file is ${binary}.`, "file");
  const encoding = encodingOf(head, isUtf8Beginning(head));
  let text = "";
  for await (const piece of decode(one(head), encoding)) text += piece;
  const header = findHeader(text, format);
  const lines: PreviewLine[] = [];
  try {
    for await (const record of readRecords(one(text), header)) {
      lines.push(shown(readLine(record, header.read)));
      if (lines.length === LINES_SHOWN) break;
    }
  } catch (error) {
    // A beginning that was cut within quotes cannot be read to its end; what stands before it is worth showing.
    if (!(error instanceof InvalidInput) || lines.length === 0) throw error;
  }
  return { encoding, separator: header.separator, headerLine: header.line, ownAccount: header.ownAccount, lines };
}

function shown(read: ReadLine): PreviewLine {
  const at = { line: read.at, raw: read.raw };
  switch (read.kind) {
    case "transaction":
      return { ...at, outcome: "read", transaction: read.transaction };
    case "refused":
      return { ...at, outcome: "refused", reason: read.reason };
    case "skipped":
      return { ...at, outcome: "skipped" };
  }
}

/** The last character may be cut, which is no sign of another encoding. */
function isUtf8Beginning(head: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

async function* one<Piece>(piece: Piece): AsyncGenerator<Piece> {
  yield await Promise.resolve(piece);
}
