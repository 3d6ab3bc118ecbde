import { looksLikeId, type Id } from "../kernel/ids.ts";
import { InvalidInput } from "../kernel/refusal.ts";

export const PAGE_DEFAULT = 20;
/** More than a screen shows; a program that wants all of them pages. */
export const PAGE_MAX = 100;
/** The same for a plain list inside an object, which is not paged. */
export const ROWS_MAX = 500;
/** The same for a line of points that the stores thin: twice as many as a wide screen has columns. */
export const POINTS_MAX = 2_000;
const CURSOR_CHARACTERS_MAX = 500;

export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
}

/** A page to read: `limit` is one more than asked for, so that the row beyond tells whether there is a next page. */
export interface Page {
  readonly size: number;
  readonly limit: number;
  /** The sort keys of the last row of the page before; undefined for the first page. */
  readonly after: readonly string[] | undefined;
}

/** Reads the arguments of the connection called `kind`, whose cursors hold `keyCount` sort keys. */
export function parsePage({ first, after }: PageArguments, kind: string, keyCount = 1): Page {
  const size = first ?? PAGE_DEFAULT;
  if (!Number.isInteger(size) || size < 1 || size > PAGE_MAX)
    throw new InvalidInput(`first is 1 to ${PAGE_MAX}.`, "first");
  const keys = after === null || after === undefined ? undefined : decodeCursor(after, kind);
  if (keys !== undefined && keys.length !== keyCount) throw foreignCursor();
  return { size, limit: size + 1, after: keys };
}

/** The sort key at a place of the cursor, as an id; undefined on the first page. Throws `InvalidInput` for a forged one. */
export function cursorId<Kind extends string>({ after }: Page, at = 0): Id<Kind> | undefined {
  const key = after?.[at];
  if (key !== undefined && !looksLikeId(key)) throw foreignCursor();
  return key as Id<Kind> | undefined;
}

/** The same as an instant, written as milliseconds. */
export function cursorInstant({ after }: Page, at = 0): Date | undefined {
  const key = after?.[at];
  if (key === undefined) return undefined;
  if (!/^\d{1,15}$/.test(key)) throw foreignCursor();
  return new Date(Number(key));
}

/** The same as a row number. */
export function cursorNumber({ after }: Page, at = 0): bigint | undefined {
  const key = after?.[at];
  if (key === undefined) return undefined;
  if (!/^\d{1,18}$/.test(key)) throw foreignCursor();
  return BigInt(key);
}

/** A cursor is the sort keys of its row and the list they belong to. It is opaque: its form may change at any time. */
export function encodeCursor(kind: string, keys: readonly string[]): string {
  return Buffer.from(JSON.stringify([kind, ...keys])).toString("base64url");
}

function decodeCursor(cursor: string, kind: string): readonly string[] {
  if (cursor.length > CURSOR_CHARACTERS_MAX) throw foreignCursor();
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    throw foreignCursor();
  }
  if (!Array.isArray(parts) || parts[0] !== kind) throw foreignCursor();
  const keys: unknown[] = parts.slice(1);
  if (!keys.every((key) => typeof key === "string")) throw foreignCursor();
  return keys;
}

function foreignCursor(): InvalidInput {
  return new InvalidInput("This cursor does not belong to this list. Take it from the list's own pageInfo.", "after");
}

/** Turns the rows that were read for a page into a Relay connection. */
export function toConnection<Row>(
  rows: readonly Row[],
  { page, kind, keysOf }: { page: Page; kind: string; keysOf: (row: Row) => readonly string[] },
) {
  const edges = rows.slice(0, page.size).map((node) => ({ cursor: encodeCursor(kind, keysOf(node)), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: rows.length > page.size,
      hasPreviousPage: page.after !== undefined,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
