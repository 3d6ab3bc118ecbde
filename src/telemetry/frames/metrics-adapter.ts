/** OpenPAYGO Metrics v1: requests in JSON or CBOR, over our topics and over HTTP. */
import { isAscii, isUtf8 } from "node:buffer";
import { readEnvelope } from "../metrics/envelope.ts";
import { readRequest } from "../metrics/request.ts";
import type { FormatCache, MetricsSettings } from "../metrics/request.ts";
import { makeJsonWire } from "../metrics/wire.ts";
import type { FrameAdapter, FrameContext, FrameOutcome, RawFrame } from "./frame.ts";
import { refuse } from "./refusal.ts";

const TOPICS: ReadonlySet<string> = new Set(["data", "/dd", "/device_data"]);

export function makeMetricsAdapter(settings: MetricsSettings): FrameAdapter {
  const formats: FormatCache = new WeakMap();

  function read(raw: RawFrame, context: FrameContext): FrameOutcome {
    const parsed = parseJson(raw.payload);
    if (!parsed.ok) return refuse("not_readable", parsed.detail, raw.serial);
    const wire = makeJsonWire(raw.payload);
    const answer = readEnvelope({ wire, range: { start: 0, end: raw.payload.length }, value: parsed.value });
    if (!answer.ok) return refuse("wrong_schema", answer.detail, answer.serial ?? raw.serial);
    return readRequest(answer.envelope, { raw, context, settings, formats });
  }

  return { name: "openpaygo-metrics", claims: (topic) => TOPICS.has(topic), read };
}

type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly detail: string };

export function parseJson(payload: Uint8Array): Parsed {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (!isUtf8(bytes)) return { ok: false, detail: "The frame is neither UTF-8 text nor marked as CBOR." };
  try {
    return { ok: true, value: JSON.parse(bytes.toString(isAscii(bytes) ? "latin1" : "utf8")) };
  } catch (error) {
    return { ok: false, detail: `The frame is not JSON: ${error instanceof Error ? error.message : String(error)}.` };
  }
}
