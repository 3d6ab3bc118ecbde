import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { InvalidInput } from "../../kernel/refusal.ts";
import { binaryKindOf, decode, encodingOf, LOOK_BYTES, type Encoding } from "./statement-decoding.ts";

/** A file that has come in whole and lies on disk until it is imported. */
export interface SpooledFile {
  readonly sha256: Uint8Array;
  readonly bytes: number;
  readonly encoding: Encoding;
  /** Its text from the start, each time anew. */
  text(): AsyncIterable<string>;
  discard(): Promise<void>;
}

const PIECE_BYTES = 262_144;
const PLACE_START = "washa-statement-";

/**
 * Keeps what comes in on disk, whatever its size, because how its characters are written is known at its end only, and
 * no transaction may wait for somebody's slow upload. Only this program's user can read it; `discard` removes it.
 * Throws InvalidInput for an empty file, one above the limit, and one that is no text.
 */
export async function spool(
  source: AsyncIterable<Uint8Array>,
  { folder, bytesMax }: { folder: string; bytesMax: number },
): Promise<SpooledFile> {
  // The folder for temporary files may have been emptied since, and on a new machine there is none.
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = await mkdtemp(join(folder, PLACE_START));
  const discard = () => rm(place, { recursive: true, force: true });
  const path = join(place, "file");
  try {
    const facts = await write(source, path, bytesMax);
    return {
      ...facts,
      text: () => decode(createReadStream(path, { highWaterMark: PIECE_BYTES }), facts.encoding),
      discard,
    };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** Removes what lies in the folder since before that instant: a process that dies amid an import leaves its file. */
export async function removeLeftovers(folder: string, before: Date): Promise<void> {
  // Nothing was ever imported here, or somebody else removed one at the same time: both leave nothing to do.
  const ifThere = <Found, Else>(looking: Promise<Found>, otherwise: Else): Promise<Found | Else> =>
    looking.catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return otherwise;
      throw error;
    });
  for (const name of await ifThere(readdir(folder), [])) {
    const place = join(folder, name);
    const modifiedAt = name.startsWith(PLACE_START) ? (await ifThere(stat(place), undefined))?.mtime : undefined;
    if (modifiedAt !== undefined && modifiedAt < before) await rm(place, { recursive: true, force: true });
  }
}

async function write(
  source: AsyncIterable<Uint8Array>,
  path: string,
  bytesMax: number,
): Promise<{ sha256: Uint8Array; bytes: number; encoding: Encoding }> {
  const hash = createHash("sha256");
  const strict = new TextDecoder("utf-8", { fatal: true });
  const head = Buffer.alloc(LOOK_BYTES);
  let [bytes, isUtf8] = [0, true];
  const check = (piece?: Uint8Array): void => {
    if (!isUtf8) return;
    try {
      if (piece === undefined) strict.decode();
      else strict.decode(piece, { stream: true });
    } catch {
      isUtf8 = false;
    }
  };
  const file = await open(path, "wx", 0o600);
  try {
    for await (const piece of source) {
      if (bytes < LOOK_BYTES) head.set(piece.subarray(0, LOOK_BYTES - bytes), bytes);
      bytes += piece.length;
      if (bytes > bytesMax)
        throw new InvalidInput(`This file is larger than ${bytesMax} bytes. Ask for a shorter period.`, "file");
      hash.update(piece);
      check(piece);
      await file.writeFile(piece);
    }
    check();
  } finally {
    await file.close();
  }
  const start = head.subarray(0, Math.min(bytes, LOOK_BYTES));
  const binary = binaryKindOf(start);
  if (bytes === 0) throw new InvalidInput("This file is empty.", "file");
  if (binary !== undefined) throw new InvalidInput(`This file is ${binary}.`, "file");
  return { sha256: hash.digest(), bytes, encoding: encodingOf(start, isUtf8) };
}
