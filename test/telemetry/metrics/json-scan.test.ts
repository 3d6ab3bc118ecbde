import fc from "fast-check";
import { expect, test } from "vitest";
import { encode } from "cborg";
import { scanCborElements, scanCborMembers } from "../../../src/telemetry/metrics/cbor-scan.ts";
import { parseCbor } from "../../../src/telemetry/metrics/cbor.ts";
import { compactSlice, scanElements, scanMembers } from "../../../src/telemetry/metrics/json-scan.ts";

const SEEDED = { seed: 20_261_121, numRuns: 500 };
const whole = (bytes: Uint8Array) => ({ start: 0, end: bytes.length });
const value = fc.jsonValue({ maxDepth: 4, stringUnit: "grapheme" });
const object = fc.dictionary(fc.string({ unit: "grapheme", maxLength: 20 }), value, { maxKeys: 12 });

test("whatever JSON.parse accepts, the scanner finds the same members, in whatever layout", () => {
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 1, 4, "\t", " \n "), (given, space) => {
      const text = JSON.stringify(given, null, space);
      const bytes = Buffer.from(text);
      const scan = scanMembers(bytes, whole(bytes));
      const found = scan.ok
        ? scan.found.map(({ name, start, end }) => [name, JSON.parse(bytes.toString("utf8", start, end))])
        : scan;
      // Object.entries puts names that look like positions first, as JSON.parse does; the scanner keeps the order sent.
      expect(sorted(found)).toEqual(sorted(Object.entries(JSON.parse(text) as object)));
      expect(Buffer.from(compactSlice(bytes, whole(bytes))).toString()).toBe(JSON.stringify(given));
    }),
    SEEDED,
  );
});

function sorted(entries: unknown): unknown {
  if (!Array.isArray(entries)) return entries;
  return (entries as [string, unknown][]).toSorted(([one], [other]) => (one < other ? -1 : 1));
}

test("elements of lists are found one by one, in JSON and in CBOR", () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 12 }), (list) => {
      const bytes = Buffer.from(JSON.stringify(list));
      const scan = scanElements(bytes, whole(bytes));
      expect(scan.ok && scan.found.map(({ start, end }) => bytes.toString("utf8", start, end))).toEqual(
        list.map((item) => JSON.stringify(item)),
      );
      const packed = encode(list);
      const cbor = scanCborElements(packed, whole(packed));
      expect(cbor.ok && cbor.found.map(({ start, end }) => decoded(packed.subarray(start, end)))).toEqual(
        list.map((item) => decoded(encode(item))),
      );
    }),
    SEEDED,
  );
});

test("CBOR decodes to what JSON would have said", () => {
  fc.assert(
    fc.property(object, (given) => {
      const packed = encode(given);
      // -0 is a float of its own in CBOR, and JSON.stringify writes it as 0.
      expect(JSON.parse(JSON.stringify(decoded(packed)))).toEqual(JSON.parse(JSON.stringify(given)));
      const scan = scanCborMembers(packed, whole(packed));
      expect(scan.ok && scan.found.map(({ name }) => name).toSorted()).toEqual(Object.keys(given).toSorted());
    }),
    SEEDED,
  );
});

function decoded(bytes: Uint8Array): unknown {
  const answer = parseCbor(bytes);
  return answer.ok ? answer.value : answer;
}

test("bytes that are no JSON never make the scanner run past their end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom("{", '{"a":', "[", '["'), (noise, start) => {
      const bytes = Buffer.concat([Buffer.from(start), noise]);
      for (const scan of [scanMembers(bytes, whole(bytes)), scanElements(bytes, whole(bytes))]) {
        const isBounded = scan.ok ? scan.found.every(({ end }) => end <= bytes.length) : scan.detail.length > 10;
        expect(isBounded).toBe(true);
      }
    }),
    SEEDED,
  );
});
