import { expect, test } from "vitest";
import { makeKeySeal } from "../../src/devices/key-seal.ts";

const SEALING_KEY = Buffer.alloc(32, 7);
const KEY = Buffer.from("a29ab82edc5fbbc41ec9530f6dac86b1", "hex");
const seal = makeKeySeal(SEALING_KEY);

test("a sealed key opens for its own serial, and is not readable in what is stored", () => {
  const sealed = seal.seal("SHS-1", KEY);
  expect(Buffer.from(seal.open("SHS-1", sealed))).toEqual(KEY);
  expect(Buffer.from(sealed).includes(KEY)).toBe(false);
  expect(sealed).toHaveLength(12 + 16 + 16);
});

test("the same key sealed twice looks different, so that equal keys cannot be seen", () => {
  expect(Buffer.compare(seal.seal("SHS-1", KEY), seal.seal("SHS-1", KEY))).not.toBe(0);
});

test("one changed bit anywhere is noticed", () => {
  const sealed = seal.seal("SHS-1", KEY);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Uint8Array.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => seal.open("SHS-1", changed)).toThrow(/authenticate/);
  }
});

test("a key moved to another device's row, cut short, or read with another sealing key does not open", () => {
  const sealed = seal.seal("SHS-1", KEY);
  expect(() => seal.open("SHS-2", sealed)).toThrow(/authenticate/);
  expect(() => makeKeySeal(Buffer.alloc(32, 8)).open("SHS-1", sealed)).toThrow(/authenticate/);
  for (const length of [0, 11, 12, 27, 43])
    expect(() => seal.open("SHS-1", sealed.subarray(0, length))).toThrow(/authenticat|tag|IV|vector/i);
});

test("a sealing key of another length is refused", () => {
  for (const length of [0, 16, 31, 33]) expect(() => makeKeySeal(Buffer.alloc(length))).toThrow(/32 bytes/);
});
