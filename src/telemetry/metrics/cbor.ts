import { decode } from "cborg";
import type { BoundsFault } from "./bounds.ts";
import { cborFault, scanCborElements, scanCborMembers } from "./cbor-scan.ts";
import { cborSignedText } from "./cbor-text.ts";
import type { Wire } from "./wire.ts";

export type DecodedRequest = { readonly ok: true; readonly value: unknown } | ({ readonly ok: false } & BoundsFault);

/** The wire of a request in CBOR that has passed `parseCbor`. */
export function makeCborWire(bytes: Uint8Array): Wire {
  return {
    members: (range) => scanCborMembers(bytes, range),
    elements: (range) => scanCborElements(bytes, range),
    text: (range) => cborSignedText(bytes, range),
  };
}

/**
 * Decodes one CBOR item to what `JSON.parse` would have given. Refuses what JSON does not hold either: NaN and
 * infinities, byte strings, tags, undefined, numbers past 2^53, keys that come twice.
 */
export function parseCbor(bytes: Uint8Array): DecodedRequest {
  const wrong = cborFault(bytes);
  if (wrong !== undefined) return { ok: false, ...wrong };
  try {
    return { ok: true, value: plainOf(decode(bytes, OPTIONS)) };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { ok: false, reason: "not_readable", detail: `The CBOR is not readable: ${said}.` };
  }
}

const OPTIONS = {
  allowIndefinite: true,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
  useMaps: true,
} as const;

/** Maps become objects; their own `__proto__` stays a member like any other, to be refused by its name. */
function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf);
  if (!(value instanceof Map)) return value;
  const plain: Record<string, unknown> = {};
  for (const [key, member] of value as Map<string | number, unknown>) {
    const name = String(key);
    if (Object.hasOwn(plain, name)) throw new Error(`the member "${name}" comes twice, as a text and as a number`);
    Object.defineProperty(plain, name, {
      value: plainOf(member),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return plain;
}
