import type { Readable } from "node:stream";
import type { Link } from "./bookmark.store.ts";

/** Rows as PostgreSQL's COPY writes them. */
export interface CopyText {
  readonly pieces: readonly Buffer[];
  readonly count: number;
}

/** PostgreSQL's rows were not as many as were counted: nothing of them is sent. */
export class CountDiffers extends Error {}

/**
 * Runs a query's COPY into memory; who asks bounds its rows. Throws CountDiffers unless there are `rows` of them.
 *
 * The stream is read in flowing mode and as a whole on purpose: the driver pauses its socket when a reader is slow, and where
 * the end of the COPY came in the same piece, it never resumes it; the connection then hangs at its next statement.
 */
export async function copyOut(link: Link, { query, rows }: { query: string; rows: number }): Promise<CopyText> {
  const stream = (await link.unsafe(`copy (${query}) to stdout`).readable()) as Readable;
  const pieces: Buffer[] = [];
  let count = 0;
  await new Promise<void>((resolve, reject) => {
    stream.on("data", (piece: Buffer) => {
      pieces.push(piece);
      for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, at + 1)) count++;
    });
    stream.once("end", resolve);
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("The connection was lost while readings were copied.")));
  });
  if (count !== rows) throw new CountDiffers(`${String(rows)} readings were counted, and ${String(count)} came.`);
  return { pieces, count };
}
