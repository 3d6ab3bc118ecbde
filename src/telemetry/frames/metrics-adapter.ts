/** OpenPAYGO Metrics v1: requests in JSON or CBOR, over our topics and over HTTP. */
import { jsonBoundsFault } from "../metrics/bounds.ts";
import { makeCborWire, parseCbor } from "../metrics/cbor.ts";
import type { DecodedRequest } from "../metrics/cbor.ts";
import { readEnvelope } from "../metrics/envelope.ts";
import { readRequest } from "../metrics/request.ts";
import type { FormatCache, MetricsSettings } from "../metrics/request.ts";
import { makeJsonWire } from "../metrics/wire.ts";
import type { FrameAdapter, FrameContext, FrameOutcome, RawFrame } from "./frame.ts";
import { parseJson } from "./json.ts";
import { makeRowSink } from "./reading.ts";
import { refuse } from "./refusal.ts";

const TOPICS: ReadonlySet<string> = new Set(["data", "/dd", "/device_data"]);

/** Reads device requests with their accessories. Registered formats are compiled once for each document object. */
export function makeMetricsAdapter(settings: MetricsSettings): FrameAdapter {
  const formats: FormatCache = new WeakMap();
  const row = makeRowSink();

  function read(raw: RawFrame, context: FrameContext): FrameOutcome {
    const isCbor = raw.contentType === "cbor" || (raw.contentType === undefined && looksLikeCbor(raw.payload));
    const bytes = isCbor ? withoutMark(raw.payload) : raw.payload;
    const parsed = isCbor ? parseCbor(bytes) : parseBoundedJson(bytes);
    if (!parsed.ok) return refuse(parsed.reason, parsed.detail, raw.serial);
    if (typeof parsed.value !== "object" || parsed.value === null || Array.isArray(parsed.value)) {
      return refuse(
        "wrong_schema",
        "The frame is no device request: an object with serial_number and data is needed.",
        raw.serial,
      );
    }
    const wire = isCbor ? makeCborWire(bytes) : makeJsonWire(bytes);
    const answer = readEnvelope({ wire, range: { start: 0, end: bytes.length }, value: parsed.value });
    if (!answer.ok) return refuse("wrong_schema", answer.detail, answer.serial ?? raw.serial);
    return readRequest(answer.envelope, { raw, context, settings, formats, row });
  }

  return { name: "openpaygo-metrics", claims: (topic) => TOPICS.has(topic), read };
}

function parseBoundedJson(bytes: Uint8Array): DecodedRequest {
  const tooMuch = jsonBoundsFault(bytes);
  if (tooMuch !== undefined) return { ok: false, ...tooMuch };
  const parsed = parseJson(bytes);
  return parsed.ok ? parsed : { ok: false, reason: "not_readable", detail: parsed.detail };
}

/** "Self-described CBOR" (RFC 8949 §3.4.6): three bytes that no JSON begins with, and that mean nothing else. */
const CBOR_MARK = [0xd9, 0xd9, 0xf7] as const;

/** No JSON text begins with a byte of 0xa0 and up; every CBOR map does, and so does the mark. */
function looksLikeCbor(payload: Uint8Array): boolean {
  const first = payload[0] ?? 0;
  return (first >= 0xa0 && first <= 0xbf) || isMarked(payload);
}

function isMarked(payload: Uint8Array): boolean {
  return CBOR_MARK.every((byte, at) => payload[at] === byte);
}

function withoutMark(payload: Uint8Array): Uint8Array {
  return isMarked(payload) ? payload.subarray(CBOR_MARK.length) : payload;
}
