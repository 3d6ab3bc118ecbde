/** A device request, verified and read: one frame for the device, one for each accessory. */
import type { DeviceFrame, FrameContext, FrameRefusal, Freshness, RawFrame, Reading } from "../frames/frame.ts";
import { QUANTITIES, READINGS_MAX } from "../frames/frame.ts";
import { clearRowSink, makeReading } from "../frames/reading.ts";
import type { RowSink } from "../frames/reading.ts";
import { refuse } from "../frames/refusal.ts";
import type { RefusedFrame } from "../frames/refusal.ts";
import { finishStanding, makeStandingDraft } from "../frames/standing.ts";
import { NOT_FRESH, verifyAuth } from "./auth.ts";
import { putData } from "./data.ts";
import { parseDataFormat } from "./data-format.ts";
import type { DataFormat, DataFormatAnswer } from "./data-format.ts";
import { readEnvelope } from "./envelope.ts";
import type { Envelope } from "./envelope.ts";
import { readRows } from "./rows.ts";

export interface MetricsSettings {
  /** Whether requests are taken that sign nothing that grows (`sa`): whoever heard one can send anything for ever. */
  readonly allowSimpleAuth: boolean;
  /**
   * Whether a device that signed in to its connection may leave its requests unsigned. What is signed is checked all the
   * same. The connection vouches for its own device alone, never for an accessory.
   */
  readonly signatureOnConnection: "optional" | "required";
}

/** What reading needs besides the request: who sent it, when, and what the house knows. */
export interface RequestSurroundings {
  readonly raw: RawFrame;
  readonly context: FrameContext;
  readonly settings: MetricsSettings;
  readonly formats: FormatCache;
  /** Used again for every request: readings are copied out of it. */
  readonly row: RowSink;
}

/** Registered formats, compiled once for each document object. */
export type FormatCache = WeakMap<object, DataFormatAnswer>;

type Step<T> = { readonly ok: true; readonly got: T } | RefusedFrame;

/** Reads a request and its accessories. An accessory that is refused is set aside alone. */
export function readRequest(
  envelope: Envelope,
  surroundings: RequestSurroundings,
):
  | { readonly ok: true; readonly frames: readonly DeviceFrame[]; readonly setAside?: readonly FrameRefusal[] }
  | RefusedFrame {
  const { serial: connection } = surroundings.raw;
  if (connection !== undefined && connection !== envelope.serial) {
    const detail = `The connection belongs to device ${connection}, but the request speaks for ${envelope.serial}.`;
    return refuse("foreign_serial", detail, connection);
  }
  const own = readOne(envelope, surroundings, { isVouchedFor: connection === envelope.serial, nowSeconds: undefined });
  if (!own.ok) return own;
  if (envelope.accessories.length === 0) return { ok: true, frames: [own.got] };
  return withAccessories(envelope, surroundings, own.got);
}

function withAccessories(
  envelope: Envelope,
  surroundings: RequestSurroundings,
  own: DeviceFrame,
): { readonly ok: true; readonly frames: readonly DeviceFrame[]; readonly setAside: readonly FrameRefusal[] } {
  const frames = [own];
  const setAside: FrameRefusal[] = [];
  const nowSeconds = envelope.collectedAt ?? envelope.timestamp;
  for (const [at, { value, range }] of envelope.accessories.entries()) {
    const answer = readEnvelope({ wire: envelope.wire, range, value });
    const read = !answer.ok
      ? refuse("wrong_schema", answer.detail, answer.serial)
      : answer.envelope.accessories.length > 0
        ? refuse("wrong_schema", "It has accessories of its own; only the main device may.", answer.envelope.serial)
        : readOne(answer.envelope, surroundings, { isVouchedFor: false, nowSeconds });
    if (read.ok) frames.push(read.got);
    else setAside.push({ ...read.refusal, detail: `Accessory ${at} of ${envelope.serial}: ${read.refusal.detail}` });
  }
  return { ok: true, frames, setAside };
}

function readOne(
  envelope: Envelope,
  { raw, context, settings, formats, row }: RequestSurroundings,
  { isVouchedFor, nowSeconds }: { isVouchedFor: boolean; nowSeconds: number | undefined },
): Step<DeviceFrame> {
  const { serial } = envelope;
  const trust = checkTrust(envelope, { context, settings, isVouchedFor });
  if (!trust.ok) return trust;
  if (envelope.rows.length > READINGS_MAX) {
    const detail = `historical_data has ${envelope.rows.length} rows; at most ${READINGS_MAX} fit one request. Send several.`;
    return refuse("too_many_rows", detail, serial);
  }
  const format = findFormat(envelope, context, formats);
  if (!format.ok) return format;
  // By the clock that the rows are counted from: an intermediary's, where there was one, may be right when the device's is not.
  const sentAtSeconds = envelope.collectedAt ?? envelope.timestamp;
  const baseSeconds = sentAtSeconds ?? nowSeconds ?? raw.receivedAtMs / 1_000;
  clearRowSink(row);
  const draft = makeStandingDraft();
  const wrong = envelope.data === undefined ? undefined : putData({ row, draft }, envelope.data, format.got);
  if (wrong !== undefined) return refuse("wrong_schema", `data: ${wrong}.`, serial);
  const dataAtMs = Math.round((row.timestamp ?? baseSeconds) * 1_000);
  const current = row.told ? makeReading(dataAtMs, row) : undefined;
  const history = readRows(envelope.rows, { format: format.got, baseSeconds, sink: row });
  if (!history.ok) return refuse("wrong_schema", history.detail, serial);
  return {
    ok: true,
    got: {
      serial,
      sentAtMs: sentAtSeconds === undefined ? undefined : sentAtSeconds * 1_000,
      readings: current === undefined ? history.readings : joinCurrent(history.readings, current, row),
      standing: finishStanding(draft, dataAtMs),
      events: [],
      answers: [],
      presence: undefined,
      wishes: draft.wishes,
      freshness: trust.got,
      answerTo: {
        requestTimestamp: envelope.timestamp,
        requestCount: envelope.requestCount,
        form: envelope.form,
      },
    },
  };
}

function checkTrust(
  envelope: Envelope,
  { context, settings, isVouchedFor }: Pick<RequestSurroundings, "context" | "settings"> & { isVouchedFor: boolean },
): Step<Freshness> {
  const { serial } = envelope;
  const isVouched = isVouchedFor && settings.signatureOnConnection === "optional";
  if (envelope.auth === undefined) {
    if (isVouched) return { ok: true, got: NOT_FRESH };
    const detail = isVouchedFor
      ? "The request has no auth (a), and the settings require one although the device signed in to its connection."
      : "The request has no auth (a), and no connection of the device vouches for it. Sign it with ta, ca, da or ra.";
    return refuse("not_signed", detail, serial);
  }
  const verdict = verifyAuth(envelope, {
    hash: (bytes) => context.hash(serial, bytes),
    allowReplayable: settings.allowSimpleAuth || isVouched,
  });
  return verdict.ok ? { ok: true, got: verdict.freshness } : refuse(verdict.reason, verdict.detail, serial);
}

function findFormat(envelope: Envelope, context: FrameContext, formats: FormatCache): Step<DataFormat | undefined> {
  const { formatId, format: inline, serial } = envelope;
  if (inline !== undefined) return stepOf(parseDataFormat(inline), "wrong_schema", serial);
  if (formatId === undefined) return { ok: true, got: undefined };
  const document = context.dataFormat(formatId);
  if (typeof document !== "object" || document === null) {
    return refuse(
      "unknown_format",
      `No data format ${formatId} is registered; register it at /data_format first.`,
      serial,
    );
  }
  let answer = formats.get(document);
  if (answer === undefined) formats.set(document, (answer = parseDataFormat(document)));
  return stepOf(answer, "unknown_format", serial);
}

function stepOf(answer: DataFormatAnswer, reason: FrameRefusal["reason"], serial: string): Step<DataFormat> {
  return answer.ok ? { ok: true, got: answer.format } : refuse(reason, answer.detail, serial);
}

/**
 * Puts the reading of `data` in its place among the rows. A row of the same moment is the same reading: what either tells
 * goes into one, since a device has one reading a moment.
 */
function joinCurrent(readings: Reading[], current: Reading, sink: RowSink): readonly Reading[] {
  let at = readings.length;
  while (at > 0 && (readings[at - 1]?.atMs ?? 0) > current.atMs) at--;
  const same = readings[at - 1];
  if (same?.atMs === current.atMs) readings[at - 1] = mergeReadings(current, same, sink);
  else if (at === readings.length) readings.push(current);
  else readings.splice(at, 0, current);
  return readings;
}

function mergeReadings(first: Reading, second: Reading, sink: RowSink): Reading {
  clearRowSink(sink);
  const extra = first.extra === undefined ? second.extra : { ...second.extra, ...first.extra };
  const { values } = sink;
  for (const [slot, name] of QUANTITIES.entries()) values[slot] = first[name] ?? second[name];
  return makeReading(first.atMs, { values, extra });
}
