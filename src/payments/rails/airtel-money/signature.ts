import { createHmac, timingSafeEqual } from "node:crypto";
import type { Verdict } from "../rail.ts";
import { findJson, isObject } from "../reading.ts";

/**
 * Airtel signs callbacks with `hash` = base64 of HMAC-SHA256, and does not say over which text: public integrations hash
 * either `{"transaction":{…}}` or the inner object. Both are tried, cut from the bytes as they came and written anew
 * without spaces. Older markets send no hash at all. A hash that fits nothing is a forgery.
 */
export function verifyHash(raw: Uint8Array, key: string): Verdict {
  const text = new TextDecoder().decode(raw);
  const body = findJson(raw);
  // What cannot be read is not signed either; `parse` says what is wrong with it.
  if (!isObject(body) || !("hash" in body)) return { trust: "unsigned" };
  const { hash } = body;
  if (typeof hash !== "string" || !/^[A-Za-z0-9+/]{43}=$/.test(hash))
    return refusal("The hash is not 32 bytes in base64.");
  const members = topMembers(text);
  // JSON readers disagree on which of two members with one name counts, so a signed one could hide a forged one.
  if (new Set(members.map(({ name }) => name)).size !== members.length)
    return refusal("A member of the body comes twice.");

  const claimed = Buffer.from(hash, "base64");
  let matches = 0;
  for (const candidate of candidatesOf(text, members, body["transaction"])) {
    const computed = createHmac("sha256", key).update(candidate).digest();
    // Every candidate is computed and compared, so that the time does not tell which one was near.
    matches += timingSafeEqual(computed, claimed) ? 1 : 0;
  }
  return matches > 0 ? { trust: "signed" } : refusal("The hash does not belong to this body.");
}

function refusal(detail: string): Verdict {
  return { trust: "refused", reason: "signature_invalid", detail };
}

function candidatesOf(text: string, members: readonly Member[], transaction: unknown): readonly string[] {
  const member = members.find(({ name }) => name === "transaction");
  if (member === undefined || transaction === undefined) return [];
  const inner = text.slice(member.valueFrom, member.valueTo);
  const compact = JSON.stringify(transaction);
  return [inner, `{"transaction":${inner}}`, withoutHash(text, members), compact, `{"transaction":${compact}}`];
}

/** The body as it came, spaces and all, without the hash and one comma beside it. */
function withoutHash(text: string, members: readonly Member[]): string {
  const at = members.findIndex(({ name }) => name === "hash");
  const [before, hash, after] = [members[at - 1], members[at], members[at + 1]];
  if (hash === undefined) return text;
  if (before !== undefined) return text.slice(0, before.valueTo) + text.slice(hash.valueTo);
  if (after !== undefined) return text.slice(0, hash.nameFrom) + text.slice(after.nameFrom);
  return text;
}

interface Member {
  readonly name: string;
  readonly nameFrom: number;
  readonly valueFrom: number;
  readonly valueTo: number;
}

/** One token of JSON; what lies between is space. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gy;
const SPACE = /\s*/gy;

/** Where the members of the outermost object stand. The text is known to be JSON. */
function topMembers(text: string): readonly Member[] {
  const members: Member[] = [];
  let depth = 0;
  let name: { readonly text: string; readonly from: number } | undefined;
  let valueFrom = -1;
  let valueTo = -1;
  const close = (): void => {
    if (name !== undefined && valueFrom >= 0) {
      members.push({ name: String(JSON.parse(name.text)), nameFrom: name.from, valueFrom, valueTo });
    }
    name = undefined;
    valueFrom = -1;
  };
  for (const { token, from, to } of tokensOf(text)) {
    const isOuter = depth === 1;
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (depth === 0 || (isOuter && token === ",")) close();
    else if (isOuter && name === undefined) name = { text: token, from };
    else if (isOuter && token === ":") continue;
    else if (name !== undefined) {
      if (valueFrom < 0) valueFrom = from;
      valueTo = to;
    }
  }
  return members;
}

function* tokensOf(text: string): Generator<{ token: string; from: number; to: number }> {
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    SPACE.exec(text);
    TOKEN.lastIndex = SPACE.lastIndex;
    const from = TOKEN.lastIndex;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) return;
    at = from + token.length;
    yield { token, from, to: at };
  }
}
