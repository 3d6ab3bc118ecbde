import { randomBytes, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress, createGunzip, createGzip, createInflate, createZstdDecompress } from "node:zlib";
import { isSameSecret } from "../same-secret.ts";
import type { Engine, Figures } from "./chdb-engine.ts";
import {
  brokenOff,
  exceptionCodeOf,
  intoFile,
  readRequest,
  RequestRefused,
  statusOf,
  type EngineRequest,
} from "./request.ts";

/** A statement is text; what is longer holds rows that belong into an insert. */
const STATEMENT_BYTES_MAX = 16 * 1_024 * 1_024;
const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};
const JSON_LINES = /^json.*eachrow$/i;

/**
 * The embedded engine behind ClickHouse's own HTTP interface, so that the program speaks to it as it would to a server.
 * Loopback only, and nobody without the password gets more than a ping. Rows of an insert are spooled to a file first:
 * one that breaks off on the way leaves nothing behind.
 */
export async function openFront({
  engine,
  password,
  spoolFolder,
  port,
}: {
  engine: Engine;
  password: string;
  spoolFolder: string;
  port: number;
}): Promise<{ readonly port: number; close(): Promise<void> }> {
  await rm(spoolFolder, { recursive: true, force: true });
  await mkdir(spoolFolder, { recursive: true, mode: 0o700 });
  const server = createServer((request, response) => {
    answer({ engine, password, spoolFolder }, { request, response }).catch((error: unknown) =>
      response.destroy(error as Error),
    );
  });
  server.requestTimeout = 0; // an export or a long insert takes as long as it takes
  const opened = await listen(server, port);
  return {
    port: opened,
    async close() {
      server.closeIdleConnections();
      const closed = new Promise((done) => server.close(done));
      const impatience = setTimeout(() => server.closeAllConnections(), 5_000);
      await closed;
      clearTimeout(impatience);
    },
  };
}

interface House {
  readonly engine: Engine;
  readonly password: string;
  readonly spoolFolder: string;
}
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function answer(house: House, { request, response }: Exchange): Promise<void> {
  const url = new URL(request.url ?? "/", "http://front");
  if (url.pathname === "/ping") {
    response.end("Ok.\n");
    return;
  }
  const queryId = url.searchParams.get("query_id") ?? randomUUID();
  response.setHeader("X-ClickHouse-Query-Id", queryId);
  response.setHeader("X-ClickHouse-Timezone", "UTC");
  const spooled: string[] = [];
  try {
    if (!isAllowed(request, url, house.password))
      throw new RequestRefused(516, "AUTHENTICATION_FAILED", "default: Authentication failed: password is incorrect.");
    const { asked, rowsPath } = await read(house, { request, url, spooled });
    await perform(house, { asked, rowsPath, request, response, spooled });
  } catch (error) {
    if (response.headersSent) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof RequestRefused ? error.clickhouseCode : exceptionCodeOf(message);
    request.resume();
    response.writeHead(statusOf(code), {
      "Content-Type": "text/plain; charset=UTF-8",
      "X-ClickHouse-Exception-Code": String(code ?? 1002),
    });
    response.end(`${code === undefined ? `Code: 1002. DB::Exception: ${message} (UNKNOWN_EXCEPTION)` : message}\n`);
  } finally {
    for (const path of spooled) await rm(path, { force: true });
  }
}

function isAllowed({ headers }: IncomingMessage, url: URL, password: string): boolean {
  const { authorization = "" } = headers;
  const [, basic] = /^Basic (.+)$/i.exec(authorization) ?? [];
  const [, bearer] = /^Bearer (.+)$/i.exec(authorization) ?? [];
  const key = headers["x-clickhouse-key"];
  const given =
    basic === undefined
      ? (bearer ?? (typeof key === "string" ? key : (url.searchParams.get("password") ?? "")))
      : Buffer.from(basic, "base64")
          .toString()
          .replace(/^[^:]*:/, "");
  return isSameSecret(given, password);
}

/** Takes the body in: a statement into memory, rows into a file. */
async function read(
  { spoolFolder }: House,
  { request, url, spooled }: { request: IncomingMessage; url: URL; spooled: string[] },
): Promise<{ asked: EngineRequest; rowsPath: string }> {
  const parameters = new Map(url.searchParams);
  if (/^multipart\//i.test(request.headers["content-type"] ?? ""))
    throw new RequestRefused(
      48,
      "NOT_IMPLEMENTED",
      "Multipart requests are not understood here; send the query as text.",
    );
  const body = decoded(request);
  if (!parameters.has("query"))
    return { asked: readRequest(parameters, { statement: await textOf(body), hasRows: false }), rowsPath: "" };
  const rowsPath = join(spoolFolder, randomUUID());
  spooled.push(rowsPath);
  await pipeline(body, createWriteStream(rowsPath, { mode: 0o600 }));
  const hasRows = (await stat(rowsPath)).size > 0;
  return { asked: readRequest(parameters, { statement: undefined, hasRows }), rowsPath };
}

function decoded(request: IncomingMessage): Readable {
  const encoding = (request.headers["content-encoding"] ?? "identity").toLowerCase();
  if (encoding === "identity") return request;
  const decoder = DECODERS[encoding]?.();
  if (decoder === undefined)
    throw new RequestRefused(48, "NOT_IMPLEMENTED", `Content-Encoding ${encoding.slice(0, 40)} is not known.`);
  request.once("error", (error) => decoder.destroy(error));
  request.once("aborted", () => decoder.destroy(new Error("The sender went away.")));
  return request.pipe(decoder);
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const piece = chunk as Buffer;
    bytes += piece.length;
    if (bytes > STATEMENT_BYTES_MAX)
      throw new RequestRefused(62, "SYNTAX_ERROR", `A statement may have ${String(STATEMENT_BYTES_MAX)} bytes.`);
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString();
}

async function perform(
  { engine, spoolFolder }: House,
  {
    asked: { statement, preparation, work },
    rowsPath,
    request,
    response,
    spooled,
  }: Exchange & { asked: EngineRequest; rowsPath: string; spooled: string[] },
): Promise<void> {
  if (work.kind === "insert") {
    const { figures } = await engine.run(work.fromFile(rowsPath), { preparation, format: "TabSeparated" });
    response.writeHead(200, { "X-ClickHouse-Summary": summaryOf(figures, "written") });
    response.end();
    return;
  }
  response.setHeader("X-ClickHouse-Format", work.format);
  const outlet = { request, response, format: work.format };
  if (work.kind === "stream") {
    await send(engine.stream(statement, { preparation, format: work.format }), outlet);
    return;
  }
  if (work.kind === "file") {
    const path = join(spoolFolder, randomUUID());
    spooled.push(path);
    await engine.run(intoFile(statement, { path, format: work.format }), { preparation, format: "TabSeparated" });
    await send(createReadStream(path), outlet);
    return;
  }
  const result = await engine.run(statement, { preparation, format: work.format });
  response.setHeader("X-ClickHouse-Summary", summaryOf(result.figures, "read"));
  await send([result.answer], outlet);
}

/** Waits for the first two pieces before it promises success: most statements fail before that. */
async function send(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { request, response, format }: Exchange & { format: string },
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : Readable.from(pieces)[Symbol.asyncIterator]();
  const first = (await iterator.next()) as IteratorResult<Uint8Array>;
  const second = first.done === true ? first : ((await iterator.next()) as IteratorResult<Uint8Array>);
  const tag = randomBytes(8).toString("hex");
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      if (first.done !== true) yield first.value;
      for (let step = second; step.done !== true; step = (await iterator.next()) as IteratorResult<Uint8Array>)
        yield step.value;
    } catch (error) {
      // Readers of JSON lines look for this mark; of any other format they can only notice that the answer broke off.
      if (!JSON_LINES.test(format)) throw error;
      yield Buffer.from(brokenOff(error instanceof Error ? error.message : String(error), tag));
    } finally {
      await iterator.return?.();
    }
  }
  response.setHeader("X-ClickHouse-Exception-Tag", tag);
  response.setHeader(
    "Content-Type",
    JSON_LINES.test(format) ? "application/x-ndjson; charset=UTF-8" : "application/octet-stream",
  );
  const wantsGzip = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  if (!wantsGzip && second.done === true) {
    // Most answers are one piece, and go out as one.
    response.end(first.done === true ? undefined : first.value);
    return;
  }
  if (wantsGzip) response.setHeader("Content-Encoding", "gzip");
  try {
    await (wantsGzip ? pipeline(all, createGzip({ level: 1 }), response) : pipeline(all, response));
  } catch (error) {
    // Whoever went away needs no answer; whoever is there must not take half of one for the whole.
    response.destroy(error as Error);
  }
}

function summaryOf({ rows, bytes, seconds }: Figures, which: "read" | "written"): string {
  return JSON.stringify({
    read_rows: which === "read" ? String(rows) : "0",
    read_bytes: which === "read" ? String(bytes) : "0",
    written_rows: which === "written" ? String(rows) : "0",
    written_bytes: which === "written" ? String(bytes) : "0",
    total_rows_to_read: "0",
    result_rows: which === "read" ? String(rows) : "0",
    result_bytes: "0",
    elapsed_ns: String(Math.round(seconds * 1e9)),
  });
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("The system gave no port."));
      else resolve(address.port);
    });
  });
}
