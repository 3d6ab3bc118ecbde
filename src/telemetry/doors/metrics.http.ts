import { encode } from "cborg";
import express, { type NextFunction, type Request, type RequestHandler, type Response, type Router } from "express";
import type { DeviceId } from "../../kernel/ids.ts";
import { InvalidInput, TooMany } from "../../kernel/refusal.ts";
import { DAY_MS, type Clock } from "../../kernel/time.ts";
import { isTransient } from "../../platform/database.ts";
import { FRAME_BYTES_MAX, type DeviceFrame, type FrameRefusal } from "../frames/frame.ts";
import { parseJson } from "../frames/json.ts";
import { IngestFull, type Ingest, type Taken } from "../ingest/ingest.commands.ts";
import { FormatsFull, type DataFormats } from "../ingest/data-formats.queries.ts";
import { LaneClosed } from "../ingest/lane.jobs.ts";
import type { Readings, StoredReading } from "../ingest/readings.queries.ts";
import { buildAnswer, type AnswerContent } from "../metrics/answer.ts";
import { parseCbor } from "../metrics/cbor.ts";
import { parseDataFormat } from "../metrics/data-format.ts";
import { writeReadings } from "../metrics/simple-form.ts";
import { QUANTITIES, type Quantity, type Reading } from "../frames/frame.ts";
import { makeRate } from "./rates.ts";

/** A device that reports every minute and then sends what it kept while it was away. */
const DEVICE_RATE = { perMinute: 30, burst: 60, namesMax: 100_000 };
/** A phone that carries the frames of a village, or a mobile network with many devices behind one address. */
const ADDRESS_RATE = { perMinute: 1_200, burst: 2_400, namesMax: 50_000 };
/** A maker registers a handful, once. */
const FORMAT_RATE = { perMinute: 10, burst: 20, namesMax: 50_000 };
/** Some eighty variables with a line of description each. */
const FORMAT_BYTES_MAX = 16 * 1_024;
/** Nobody need sign in to register a format. Strangers cannot use up what the office may still register for its makers. */
const STRANGERS_FORMATS_MAX = 1_000;
/** A device gives up after half a minute or so; the frame is stored all the same when the database is back. */
const COMMIT_TIMEOUT_MS = 15_000;
const RETRY_SECONDS = 30;
const QUERY_ROWS_MAX = 5_000;
const QUERY_DAYS_MAX = 31;

export interface MetricsDoorDeps {
  clock: Clock;
  ingest: Pick<Ingest, "take">;
  dataFormats: Pick<DataFormats, "register">;
  readings: Pick<Readings, "readingsBetween">;
  /** The device that speaks under this serial, from memory when it was just heard. */
  findSpeaker(
    serial: string,
  ): Promise<{ readonly id: DeviceId; readonly number: number; hash(bytes: Uint8Array): bigint } | undefined>;
  /** Tokens that a device with this count has not taken yet, oldest first. */
  pendingTokens(query: { number: number; count: number }): Promise<readonly string[]>;
  /** Until when the device gives light by its contract. */
  activeUntil(deviceId: DeviceId): Promise<Date | "forever" | undefined>;
  /** What else a device should be set to, such as `reporting_interval`; `standing` is what it just said of itself. */
  settings?(
    deviceId: DeviceId,
    standing: DeviceFrame["standing"],
  ): Promise<Readonly<Record<string, unknown>> | undefined>;
  serialsOf(numbers: readonly number[]): Promise<ReadonlyMap<number, string>>;
  /** Throws a refusal when the caller may not read what devices told. */
  authorize(request: Request): Promise<unknown>;
  sourceAddress(request: Request): string;
  /** How long a caller waits for the commit of its frame. */
  commitTimeoutMs?: number;
}

/**
 * OpenPAYGO Metrics over HTTP. A device request is answered 201 after it is committed, with the tokens that the device lacks and what it
 * asked for, signed under its key; the same request again is answered again.
 */
export function makeMetricsDoor(deps: MetricsDoorDeps): Router {
  const router = express.Router();
  const addresses = makeRate(ADDRESS_RATE);
  const formats = makeRate(FORMAT_RATE);
  const nowMs = (): number => deps.clock.now().getTime();
  const limit =
    (rate: ReturnType<typeof makeRate>): RequestHandler =>
    (request, _response, next) => {
      const waitSeconds = rate.take(deps.sourceAddress(request), nowMs());
      if (waitSeconds !== undefined)
        throw new TooMany("Too many requests come from this address.", new Date(nowMs() + waitSeconds * 1_000));
      next();
    };
  const raw = (bytesMax: number): RequestHandler => express.raw({ limit: bytesMax, type: () => true });
  const take = makeTaker(deps);
  for (const path of ["/dd", "/device_data"]) {
    router.post(path, limit(addresses), raw(FRAME_BYTES_MAX), async (request, response) => {
      await take(request, response, path);
    });
    router.get(path, async (request, response) => {
      await deps.authorize(request);
      response.json(await readBetween(deps, request));
    });
  }
  router.post("/data_format", limit(formats), raw(FORMAT_BYTES_MAX), async (request, response) => {
    const answer = parseDataFormat(parseBody(request));
    if (!answer.ok) throw new InvalidInput(answer.detail);
    response.status(201).json({ id: await registerFormat(deps, request, answer.document) });
  });
  router.use(answerAway);
  return router;
}

/** PostgreSQL is away, which is nobody's fault here and over soon: whoever asked may ask again. Express knows it by its four parameters. */
function answerAway(error: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (response.headersSent || !isTransient(error)) next(error);
  else answerBusy(response);
}

async function registerFormat(deps: MetricsDoorDeps, request: Request, document: object): Promise<number> {
  try {
    return await deps.dataFormats.register(document, { formatsMax: STRANGERS_FORMATS_MAX });
  } catch (error) {
    if (!(error instanceof FormatsFull) || request.get("authorization") === undefined) throw error;
    await deps.authorize(request);
    return await deps.dataFormats.register(document);
  }
}

function makeTaker(deps: MetricsDoorDeps): (request: Request, response: Response, path: string) => Promise<void> {
  const devices = makeRate(DEVICE_RATE);

  function admit(frames: readonly DeviceFrame[]): void {
    const now = deps.clock.now().getTime();
    for (const { serial } of frames) {
      const waitSeconds = devices.take(serial, now);
      if (waitSeconds !== undefined)
        throw new TooMany(`Device ${serial} sends too often.`, new Date(now + waitSeconds * 1_000));
    }
  }

  return async (request, response, path) => {
    const contentType = contentTypeOf(request);
    if (contentType === undefined) {
      answerProblem(response, {
        status: 415,
        code: "UNSUPPORTED_TYPE",
        message: "Send application/json or application/cbor.",
      });
      return;
    }
    const raw = {
      payload: bodyOf(request),
      topic: path,
      serial: undefined,
      contentType,
      receivedAtMs: deps.clock.now().getTime(),
    };
    const taken = await withinTime(
      deps.ingest.take(raw, deps.sourceAddress(request), { admit }),
      deps.commitTimeoutMs ?? COMMIT_TIMEOUT_MS,
    );
    if (taken === undefined) {
      answerBusy(response);
      return;
    }
    const own = taken.frames[0];
    if (own === undefined || own.outcome === "refused") {
      const [refusal] = taken.refusals;
      answerProblem(response, problemOf(refusal));
      return;
    }
    const text = await answerFor(deps, own.frame);
    if (contentType === "json") response.status(201).type("application/json").send(text);
    else
      response
        .status(201)
        .type("application/cbor")
        .send(Buffer.from(encode(JSON.parse(text))));
  };
}

/** The frame waits for the database as long as it takes; who sent it does not. */
async function withinTime(taking: Promise<Taken>, timeoutMs: number): Promise<Taken | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([taking, late]);
  } catch (error) {
    if (error instanceof IngestFull || error instanceof LaneClosed) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function answerFor(deps: MetricsDoorDeps, { serial, standing, wishes, answerTo }: DeviceFrame): Promise<string> {
  const speaker = await deps.findSpeaker(serial);
  if (speaker === undefined || answerTo === undefined) return "{}";
  const { id, number } = speaker;
  const count = standing?.tokenCount;
  const until = wishes.activeUntil || wishes.activeSecondsLeft ? await deps.activeUntil(id) : undefined;
  const untilSeconds = until instanceof Date ? Math.max(0, Math.floor(until.getTime() / 1_000)) : undefined;
  const nowSeconds = Math.floor(deps.clock.now().getTime() / 1_000);
  const content: AnswerContent = {
    tokens: count === undefined ? [] : await deps.pendingTokens({ number, count }),
    activeUntil: wishes.activeUntil ? untilSeconds : undefined,
    activeSecondsLeft:
      wishes.activeSecondsLeft && untilSeconds !== undefined ? Math.max(0, untilSeconds - nowSeconds) : undefined,
    settings: (await deps.settings?.(id, standing)) ?? {},
  };
  const isEmpty =
    content.tokens?.length === 0 &&
    content.activeUntil === undefined &&
    content.activeSecondsLeft === undefined &&
    Object.keys(content.settings ?? {}).length === 0;
  if (isEmpty) return "{}";
  return buildAnswer({ serial, to: answerTo, content }, (bytes) => speaker.hash(bytes)) ?? "{}";
}

const STATUS: Readonly<Record<FrameRefusal["reason"], number>> = {
  too_large: 413,
  too_many_rows: 413,
  not_readable: 400,
  wrong_schema: 400,
  unknown_format: 400,
  unknown_topic: 404,
  unknown_device: 404,
  foreign_serial: 403,
  not_signed: 401,
  signature_invalid: 401,
  replayed: 409,
  clock_off: 422,
};

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** The detail goes to whoever sent the frame: it says what would be right, and nothing that the sender does not know. */
function problemOf(refusal: FrameRefusal | undefined): Problem {
  if (refusal === undefined) return { status: 400, code: "WRONG_SCHEMA", message: "The request names no device." };
  return { status: STATUS[refusal.reason], code: refusal.reason.toUpperCase(), message: refusal.detail };
}

function answerBusy(response: Response): void {
  response.setHeader("Retry-After", String(RETRY_SECONDS));
  answerProblem(response, {
    status: 503,
    code: "BUSY",
    message:
      "It cannot be stored or answered yet. Send the same again later; what is there already is not stored twice.",
  });
}

function answerProblem(response: Response, { status, code, message }: Problem): void {
  response.status(status).json({ error: { code, message, requestId: String(response.locals["requestId"]) } });
}

function contentTypeOf(request: Request): "json" | "cbor" | undefined {
  const name = request.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (name === "application/json" || name === "json") return "json";
  if (name === "application/cbor" || name === "cbor") return "cbor";
  return undefined;
}

function bodyOf(request: Request): Buffer {
  const body: unknown = request.body;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

function parseBody(request: Request): unknown {
  const parsed = contentTypeOf(request) === "cbor" ? parseCbor(bodyOf(request)) : parseJson(bodyOf(request));
  if (!parsed.ok) throw new InvalidInput(parsed.detail);
  return parsed.value;
}

/** What devices told, in the simple form: one request for each device. */
async function readBetween(deps: MetricsDoorDeps, request: Request): Promise<readonly Record<string, unknown>[]> {
  const from = parseInstant(request, "from_datetime");
  const to = parseInstant(request, "to_datetime");
  if (!(from < to) || to.getTime() - from.getTime() > QUERY_DAYS_MAX * DAY_MS)
    throw new InvalidInput(`from_datetime must lie before to_datetime, by ${String(QUERY_DAYS_MAX)} days at most.`);
  const serial = queryText(request, "serial_number");
  const deviceNumber = serial === undefined ? undefined : ((await deps.findSpeaker(serial))?.number ?? -1);
  const rows = await deps.readings.readingsBetween({ deviceNumber, from, to, limit: QUERY_ROWS_MAX + 1 });
  if (rows.length > QUERY_ROWS_MAX)
    throw new InvalidInput(
      `There are more than ${String(QUERY_ROWS_MAX)} readings between these: ask for less time at once, or for one serial_number.`,
    );
  const byDevice = Map.groupBy(rows, (row) => row.deviceNumber);
  const serials = await deps.serialsOf([...byDevice.keys()]);
  return [...byDevice].map(([device, told]) => writeReadings(serials.get(device) ?? "", told.map(readingOf)));
}

function readingOf(stored: StoredReading): Reading {
  const quantities = Object.fromEntries(QUANTITIES.map((name) => [name, stored[name] ?? undefined])) as Record<
    Quantity,
    number | undefined
  >;
  return { atMs: stored.at.getTime(), extra: stored.extra ?? undefined, ...quantities };
}

function queryText(request: Request, name: string): string | undefined {
  const value: unknown = request.query[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function parseInstant(request: Request, name: string): Date {
  const text = queryText(request, name) ?? "";
  const at = /^\d{4}-\d{2}-\d{2}T/.test(text)
    ? new Date(text)
    : /^\d{1,11}$/.test(text)
      ? new Date(Number(text) * 1_000)
      : undefined;
  if (at === undefined || Number.isNaN(at.getTime()))
    throw new InvalidInput(`${name} must be an instant such as 2026-11-20T06:00:00Z, or Unix seconds.`, name);
  return at;
}
