import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashHex, prepareSipKey, sipHash24, sipHashWord } from "../../../src/devices/tokens/siphash.ts";

const countingUp = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);

describe("SipHash-2-4", () => {
  test("the example worked through in the SipHash paper comes out the same", () => {
    expect(hashHex(sipHash24(prepareSipKey(countingUp(16)), countingUp(15)))).toBe("a129ca6149be45e5");
  });

  test("the fast path for eight bytes agrees with the general one for every key and message", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes(16), bytes(8), (key, message) => {
        const sip = prepareSipKey(key);
        const view = new DataView(message.buffer, message.byteOffset, 8);
        const block = Uint32Array.of(view.getUint32(0, true), view.getUint32(4, true));
        sipHashWord(sip, block);
        expect([...block]).toEqual([sipHash24(sip, message).low, sipHash24(sip, message).high]);
      }),
    );
  });

  test("a message hashes the same wherever it lies in a larger buffer", () => {
    const sip = prepareSipKey(countingUp(16));
    const frame = Uint8Array.from([9, 9, 9, ...countingUp(31), 9]);
    expect(sipHash24(sip, frame.subarray(3, 34))).toEqual(sipHash24(sip, countingUp(31)));
  });

  test("a hash is written with all its leading zeros", () => {
    expect(hashHex({ low: 0x2a, high: 1 })).toBe("000000010000002a");
  });

  test("a key that is not sixteen bytes is a bug and stops at once", () => {
    expect(() => prepareSipKey(countingUp(15))).toThrow(RangeError);
    expect(() => prepareSipKey(countingUp(17))).toThrow(RangeError);
  });
});
