import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { hashPhone, parsePhone } from "../../src/customers/phone.ts";
import { InvalidInput } from "../../src/kernel/refusal.ts";

describe("a phone number", () => {
  test.each([
    "0712345678",
    "712345678",
    "254712345678",
    "+254712345678",
    "+254 712 345 678",
    "0712-345-678",
    "(0712) 345678",
  ])("written %s in Kenya is one number", (text) => {
    expect(parsePhone(text, "KE")).toBe("+254712345678");
  });

  test("with a country of its own is of that country, wherever it is written", () => {
    expect(parsePhone("+256772123456", "KE")).toBe("+256772123456");
    expect(parsePhone("256772123456", "KE")).toBe("+256772123456");
    expect(parsePhone("0772123456", "UG")).toBe("+256772123456");
    expect(parsePhone("+2250707123456", "KE")).toBe("+2250707123456");
  });

  test.each([
    "",
    "abc",
    "0",
    "07123",
    "0712345678901234",
    "+999123456789",
    "2547 ***** 126",
    "999",
    "0712345678\u0000x",
    "call 0712345678 please",
  ])("is not %j", (text) => {
    expect(() => parsePhone(text, "KE")).toThrow(InvalidInput);
  });
});

test("a number is hashed as M-Pesa does: SHA-256 of the digits without plus", () => {
  expect(Buffer.from(hashPhone("+254708374149")).toString("hex")).toBe(
    createHash("sha256").update("254708374149").digest("hex"),
  );
});
