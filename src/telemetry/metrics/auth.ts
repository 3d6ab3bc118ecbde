/**
 * The five ways in which OpenPAYGO Metrics signs a request. Each is SipHash-2-4 under the device's key over texts of the
 * request, as two letters and the hash in hexadecimal.
 *
 * The reference program prints hashes without leading zeros, others pad them to 16 digits; both are right, also inside
 * the chain of `ra`. It signs letters past ASCII as `\u` escapes, others as they send them; both are right too. A member
 * that is 0 or absent is not signed, as in the reference.
 *
 * Timestamp and count stand next to each other in what is signed, without a sign between them and without their names, so
 * a request that was heard could be sent again with its timestamp as its count, or with digits moved from one to the
 * other. Signed timestamps therefore have ten digits and counts at most nine: there is one way to read them.
 */
import type { FrameRefusal, Freshness } from "../frames/frame.ts";
import type { Envelope } from "./envelope.ts";
import { escapeSlice, needsEscapes } from "./json-scan.ts";
import type { Range } from "./json-scan.ts";

export type Hash = (bytes: Uint8Array) => bigint | undefined;

export type AuthAnswer =
  | { readonly ok: true; readonly freshness: Freshness }
  | { readonly ok: false; readonly reason: FrameRefusal["reason"]; readonly detail: string };

export const NOT_FRESH: Freshness = { requestTimestamp: undefined, requestCount: undefined };

type Method = "sa" | "ta" | "ca" | "da" | "ra";

/** The first Unix second with ten digits. */
const SIGNED_TIMESTAMP_MIN = 1_000_000_000;

/** What each method signs besides the serial; only that may prove that a request is new. */
const SIGNS: Readonly<Record<Method, { readonly timestamp: boolean; readonly count: boolean }>> = {
  sa: { timestamp: false, count: false },
  ta: { timestamp: true, count: false },
  ca: { timestamp: false, count: true },
  da: { timestamp: true, count: true },
  ra: { timestamp: true, count: true },
};

const AUTH = /^([a-z]{2})([0-9a-fA-F]{1,16})$/;

/**
 * Verifies the signature of a request that has one. What comes back fresh is signed; a request that signs nothing that
 * grows could be sent again for ever, so it is refused unless `allowReplayable`.
 */
export function verifyAuth(
  envelope: Envelope,
  { hash, allowReplayable }: { hash: Hash; allowReplayable: boolean },
): AuthAnswer {
  const parts = AUTH.exec(envelope.auth ?? "");
  const method = parts?.[1];
  if (parts === null || !isMethod(method)) {
    return invalid("auth (a) must be sa, ta, ca, da or ra, followed by up to 16 hexadecimal digits.");
  }
  const signs = SIGNS[method];
  if (method === "ta" && envelope.timestamp === undefined) {
    return notSigned("Timestamp auth (ta) signs the timestamp, but the request has none.");
  }
  if (method === "ca" && envelope.requestCount === undefined) {
    return notSigned("Counter auth (ca) signs the request_count, but the request has none.");
  }
  if (signs.timestamp && (envelope.timestamp ?? SIGNED_TIMESTAMP_MIN) < SIGNED_TIMESTAMP_MIN) {
    const detail = `timestamp (ts) is ${envelope.timestamp}, before September 2001: the clock is not set. Leave it out and send request_count (rc).`;
    return { ok: false, reason: "clock_off", detail };
  }
  const freshness: Freshness = {
    requestTimestamp: signs.timestamp ? envelope.timestamp : undefined,
    requestCount: signs.count ? envelope.requestCount : undefined,
  };
  if (!allowReplayable && freshness.requestTimestamp === undefined && freshness.requestCount === undefined) {
    return notSigned(
      method === "sa"
        ? "Simple auth (sa) signs the serial alone: whoever heard it once can send anything. Use ta, ca, da or ra, or allow it in the settings."
        : "The request signs neither timestamp nor request_count, so it could be sent again for ever. Send one of them.",
    );
  }
  const given = BigInt(`0x${parts[2] ?? "0"}`);
  const matches = method === "ra" ? recursiveMatches : plainMatches;
  const order = { hash, given, method };
  let verdict = matches(envelope, { ...order, spell: asSent });
  if (verdict === false && hasTwoSpellings(envelope)) verdict = matches(envelope, { ...order, spell: escapeSlice });
  if (verdict === undefined) {
    return {
      ok: false,
      reason: "unknown_device",
      detail: `No device ${envelope.serial} is known, so its signature cannot be checked.`,
    };
  }
  if (!verdict) {
    return invalid(`The signature (${method}) does not fit the request and the key of device ${envelope.serial}.`);
  }
  return { ok: true, freshness };
}

function isMethod(text: string | undefined): text is Method {
  return text !== undefined && Object.hasOwn(SIGNS, text);
}

const invalid = (detail: string): AuthAnswer => ({ ok: false, reason: "signature_invalid", detail });
const notSigned = (detail: string): AuthAnswer => ({ ok: false, reason: "not_signed", detail });

/** Undefined when the device is not known. */
type Verdict = boolean | undefined;

interface Check {
  readonly hash: Hash;
  readonly given: bigint;
  readonly method: Method;
  /** How letters past ASCII are written where they are signed. */
  readonly spell: (json: Uint8Array) => Uint8Array;
}

const asSent = (json: Uint8Array): Uint8Array => json;

/** Whether data or rows can be spelled in two ways. */
function hasTwoSpellings({ wire, ranges }: Envelope): boolean {
  return [ranges.data, ranges.history].some((range) => range !== undefined && needsEscapes(wire.text(range)));
}

function plainMatches(envelope: Envelope, { hash, given, method, spell }: Check): Verdict {
  const pieces: Uint8Array[] = [Buffer.from(envelope.serial, "utf8")];
  if (method === "ta" || method === "da") pieces.push(textOf(envelope, timestampRange(envelope)));
  if (method === "ca" || method === "da") pieces.push(textOf(envelope, countRange(envelope)));
  if (method === "da") {
    if (!isEmpty(envelope.data)) pieces.push(spell(textOf(envelope, envelope.ranges.data)));
    if (envelope.rows.length > 0) pieces.push(spell(textOf(envelope, envelope.ranges.history)));
  }
  const got = hash(Buffer.concat(pieces));
  return got === undefined ? undefined : got === given;
}

const NOTHING = new Uint8Array(0);

function textOf({ wire }: Envelope, range: Range | undefined): Uint8Array {
  return range === undefined ? NOTHING : wire.text(range);
}

const timestampRange = ({ timestamp, ranges }: Envelope): Range | undefined =>
  timestamp === undefined ? undefined : ranges.timestamp;
const countRange = ({ requestCount, ranges }: Envelope): Range | undefined =>
  requestCount === undefined ? undefined : ranges.requestCount;

function isEmpty(data: Envelope["data"]): boolean {
  if (data === undefined) return true;
  return Array.isArray(data) ? data.length === 0 : Object.keys(data).length === 0;
}

const EMPTY_LIST = Buffer.from("[]");

/**
 * Each hash goes, as text, in front of the next piece. Data is always a link, `[]` when it was not sent; then every row.
 */
function recursiveMatches(envelope: Envelope, { hash, given, spell }: Check): Verdict {
  const { wire, ranges } = envelope;
  const times = [timestampRange(envelope), countRange(envelope)];
  const links = times.flatMap((range) => (range === undefined ? [] : [wire.text(range)]));
  links.push(ranges.data === undefined ? EMPTY_LIST : spell(wire.text(ranges.data)));
  if (ranges.history !== undefined && envelope.rows.length > 0) {
    const rows = wire.elements(ranges.history);
    if (!rows.ok) return false;
    for (const row of rows.found) links.push(spell(wire.text(row)));
  }
  const start = hash(Buffer.from(envelope.serial, "utf8"));
  if (start === undefined) return undefined;
  const short = chain(start, links, { hash, digits: 1 });
  if (short.last === given) return true;
  // Only where a hash on the way began with a zero do the two ways of printing part.
  return short.wasShort && chain(start, links, { hash, digits: HASH_DIGITS }).last === given;
}

const HASH_DIGITS = 16;

function chain(
  start: bigint,
  links: readonly Uint8Array[],
  { hash, digits }: { hash: Hash; digits: number },
): { readonly last: bigint | undefined; readonly wasShort: boolean } {
  let last = start;
  let wasShort = false;
  for (const link of links) {
    const text = last.toString(16);
    if (text.length < HASH_DIGITS) wasShort = true;
    const next = hash(Buffer.concat([Buffer.from(text.padStart(digits, "0"), "latin1"), link]));
    if (next === undefined) return { last: undefined, wasShort };
    last = next;
  }
  return { last, wasShort };
}
