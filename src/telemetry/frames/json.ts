import { isAscii, isUtf8 } from "node:buffer";

export type JsonAnswer =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly detail: string };

/** Parses bytes as JSON. The detail says what is wrong, and what to send instead where that is a common mistake. */
export function parseJson(payload: Uint8Array): JsonAnswer {
  if (payload.length === 0) return { ok: false, detail: "The frame is empty." };
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (!isUtf8(bytes)) return { ok: false, detail: "The frame is not UTF-8 text, so it is no JSON." };
  // Most frames are ASCII, which is decoded several times faster.
  const text = isAscii(bytes) ? bytes.toString("latin1") : bytes.toString("utf8");
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const hint = /\bNaN\b|\bInfinity\b/.test(text.slice(0, HINT_CHARACTERS_MAX))
      ? " JSON has no NaN and no Infinity: send null for what was not measured."
      : "";
    return { ok: false, detail: `The frame is not JSON: ${said}.${hint}` };
  }
}

/** Messages that are not device requests hold one thing or a few; what is larger is not worth decoding. */
export const MESSAGE_BYTES_MAX = 65_536;

/** `parseJson` for such a message. */
export function parseMessageJson(payload: Uint8Array): JsonAnswer {
  if (payload.length <= MESSAGE_BYTES_MAX) return parseJson(payload);
  return {
    ok: false,
    detail: `The message has ${payload.length} bytes; on this topic ${MESSAGE_BYTES_MAX} are the most.`,
  };
}

/** Where a complaint looks for the usual mistake; a hint is not worth reading megabytes. */
const HINT_CHARACTERS_MAX = 65_536;
