import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseC2b } from "../../../../src/payments/rails/daraja/c2b.ts";
import type { DarajaTerms } from "../../../../src/payments/rails/daraja/fields.ts";
import type { Parsed, Report } from "../../../../src/payments/rails/rail.ts";
import { DOCUMENTED_BODIES, PAYER, PAYER_SHA256, SHORTCODE, VALID_BODY } from "./c2b-bodies.ts";

const TERMS: DarajaTerms = {
  shortcodes: new Set([SHORTCODE]),
  currency: "KES",
  zone: "Africa/Nairobi",
  now: new Date("2026-03-02T06:00:00Z"),
};
const read = (body: unknown, terms = TERMS): Parsed =>
  parseC2b(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), terms);
const changed = (changes: Record<string, unknown>): Parsed => read({ ...VALID_BODY, ...changes });
function eventOf(parsed: Parsed): Report {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.detail}`);
  const [report, ...others] = parsed.reports;
  if (report === undefined || others.length > 0) throw new Error("A confirmation tells of one payment.");
  return report;
}
const reasonOf = (parsed: Parsed): string => (parsed.ok ? "accepted" : parsed.reason);

describe("every documented form of a callback is read", () => {
  test.each(Object.entries(DOCUMENTED_BODIES))("%s", (_name, body) => {
    expect(eventOf(read(body))).toMatchObject({
      type: body.BillRefNumber === "" ? "merchantpay" : "billpay",
      transactionStatus: "completed",
      transactionReference: "SKL41ZDR7A",
      amount: { minor: BigInt(Number(body.TransAmount) * 100), currency: "KES" },
      creditParty: SHORTCODE,
      reference: body.BillRefNumber,
      at: new Date("2023-11-21T09:13:25Z"),
    });
  });

  test("a clear number and its hash name the same payer; a masked one names nobody", () => {
    const clear = eventOf(read(DOCUMENTED_BODIES["legacy confirmation: the payer in clear, a whole amount"]));
    const hashed = eventOf(read(DOCUMENTED_BODIES["version 1 confirmation: the payer as a hash"]));
    const masked = eventOf(read(DOCUMENTED_BODIES["version 2 confirmation: masked payer, amount with decimals"]));
    expect(clear.payer).toMatchObject({ phone: `+${PAYER}`, name: "WANJIRU KAMAU" });
    expect(Buffer.from(clear.payer.hash ?? []).toString("hex")).toBe(PAYER_SHA256);
    expect(hashed.payer.phone).toBeUndefined();
    expect(Buffer.from(hashed.payer.hash ?? []).toString("hex")).toBe(PAYER_SHA256);
    expect(masked.payer).toEqual({ phone: undefined, hash: undefined, name: "WANJIRU" });
  });

  test("a delivery in another dress is the same payment; other money, account, time or till is not", () => {
    const factsOf = (changes: Record<string, unknown>): unknown => {
      const { amount, creditParty, reference, at, transactionReference } = eventOf(changed(changes));
      return { amount, creditParty, reference, at, transactionReference };
    };
    const first = factsOf({});
    for (const dress of [
      { MSISDN: PAYER_SHA256 },
      { TransAmount: "50" },
      { TransAmount: 50 },
      { OrgAccountBalance: "75.00" },
      { FirstName: "" },
      { BusinessShortCode: 600966 },
    ]) {
      expect(factsOf(dress)).toEqual(first);
    }
    for (const facts of [{ TransAmount: "50.01" }, { BillRefNumber: "PG-10231" }, { TransTime: "20231121121326" }])
      expect(factsOf(facts)).not.toEqual(first);
  });

  test.each([
    ["an amount as a number", { TransAmount: 50.5 }, 5_050n],
    ["an amount with spaces around it", { TransAmount: " 50.00 " }, 5_000n],
    ["a till as a number", { BusinessShortCode: 600966 }, 5_000n],
    ["an account as a number", { BillRefNumber: 10230 }, 5_000n],
    ["no account at all", { BillRefNumber: undefined }, 5_000n],
    ["an account of null", { BillRefNumber: null }, 5_000n],
    ["no payer", { MSISDN: undefined, FirstName: undefined }, 5_000n],
    ["names that are no text", { FirstName: 7, MiddleName: { a: 1 }, LastName: ["x"] }, 5_000n],
    ["our own currency named", { Currency: "KES" }, 5_000n],
    ["fields that nobody knows", { NewField: { nested: [1, 2] }, __proto__: { admin: true } }, 5_000n],
    ["an id in small letters", { TransID: "skl41zdr7a" }, 5_000n],
    ["a clock that is half an hour ahead", { TransTime: "20260302093000" }, 5_000n],
  ])("so is %s", (_name, changes, minor) => {
    expect(eventOf(changed(changes))).toMatchObject({
      transactionReference: "SKL41ZDR7A",
      amount: { minor, currency: "KES" },
    });
  });

  test("a byte order mark is skipped, and of a repeated key the last one counts, as every JSON reader does", () => {
    expect(eventOf(read(`\ufeff${JSON.stringify(VALID_BODY)}`)).amount?.minor).toBe(5_000n);
    const twice = JSON.stringify(VALID_BODY).replace("{", '{"TransAmount":"9999.00",');
    expect(eventOf(read(twice)).amount?.minor).toBe(5_000n);
  });

  test("control characters and half characters of a payer's name do not reach the database", () => {
    expect(eventOf(changed({ FirstName: "WAN\u0000JI\ud800RU", LastName: "\u0007" })).payer.name).toBe(
      "WAN JI\ufffdRU",
    );
  });
});

describe("money between organisations is never a customer's (case 13)", () => {
  test.each<[string, Record<string, unknown>]>([
    ["the type says so", { TransactionType: "Organization To Organization Transfer" }],
    ["the type says so in British", { TransactionType: "Organisation Settlement" }],
    ["a business pays a bill", { TransactionType: "Business Pay Bill" }],
    ["business to business", { TransactionType: "B2B" }],
    ["the payer is a shortcode", { MSISDN: "600310" }],
    ["the payer's name says so", { FirstName: "ACME", LastName: "BUSINESS SUPPLIES" }],
  ])("%s", (_name, changes) => {
    expect(eventOf(changed(changes)).type).toBe("transfer");
  });

  test("a customer at a paybill pays a bill, at a till a merchant", () => {
    expect(eventOf(changed({})).type).toBe("billpay");
    expect(eventOf(changed({ BillRefNumber: " " })).type).toBe("merchantpay");
    expect(eventOf(changed({ TransactionType: { a: 1 } })).type).toBe("billpay");
  });
});

describe("what cannot be read exactly is refused with its reason", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["amount 0", { TransAmount: "0" }, "amount_invalid"],
    ["amount 0.00", { TransAmount: "0.00" }, "amount_invalid"],
    ["the number 0", { TransAmount: 0 }, "amount_invalid"],
    ["the number -0", { TransAmount: -0 }, "amount_invalid"],
    ["a negative amount", { TransAmount: "-50.00" }, "amount_invalid"],
    ["three decimals", { TransAmount: "50.005" }, "amount_invalid"],
    ["an exponent", { TransAmount: "5e1" }, "amount_invalid"],
    ["a number so large that it is written with an exponent", { TransAmount: 1e21 }, "amount_invalid"],
    ["a fraction that no cent is", { TransAmount: 0.1 + 0.2 }, "amount_invalid"],
    ["a separator", { TransAmount: "1,000.00" }, "amount_invalid"],
    ["a hexadecimal amount", { TransAmount: "0x32" }, "amount_invalid"],
    ["an empty amount", { TransAmount: "" }, "amount_invalid"],
    ["more than a rail carries", { TransAmount: "1000000000.01" }, "amount_invalid"],
    ["an amount with its currency", { TransAmount: "KES 50" }, "amount_invalid"],
    ["no amount", { TransAmount: undefined }, "wrong_type"],
    ["an amount of null", { TransAmount: null }, "wrong_type"],
    ["an amount of true", { TransAmount: true }, "wrong_type"],
    ["an amount in a list", { TransAmount: ["50.00"] }, "wrong_type"],
    ["an amount in an object", { TransAmount: { valueOf: 50 } }, "wrong_type"],
    ["another currency", { Currency: "USD" }, "currency_unexpected"],
    ["another currency in small letters", { currency: "ugx" }, "currency_unexpected"],
    ["a currency that is no text", { TransCurrency: 404 }, "currency_unexpected"],
    ["a till of somebody else", { BusinessShortCode: "174379" }, "shortcode_unknown"],
    ["no till", { BusinessShortCode: undefined }, "wrong_type"],
    ["a date of tomorrow", { TransTime: "20260303090000" }, "time_invalid"],
    ["a date just over an hour ahead", { TransTime: "20260302100001" }, "time_invalid"],
    ["a date of 1970", { TransTime: "19700101000000" }, "time_invalid"],
    ["the thirtieth of February", { TransTime: "20260230120000" }, "time_invalid"],
    ["the hour 25", { TransTime: "20260228250000" }, "time_invalid"],
    ["a date with an offset", { TransTime: "2026-03-02T06:00:00Z" }, "time_invalid"],
    ["no date", { TransTime: undefined }, "wrong_type"],
    ["no id", { TransID: undefined }, "wrong_type"],
    ["an empty id", { TransID: "" }, "malformed"],
    ["an id with a path", { TransID: "../../etc/x" }, "malformed"],
    ["an id of a kilobyte", { TransID: "A".repeat(1_000) }, "wrong_type"],
    ["an account with a NUL", { BillRefNumber: "PG\u000010230" }, "wrong_type"],
    ["an account with an escape sequence", { BillRefNumber: "\u001b[2J" }, "wrong_type"],
    ["an account with half a character", { BillRefNumber: "PG-\ud83d" }, "wrong_type"],
    ["an account of a kilobyte", { BillRefNumber: "9".repeat(1_000) }, "wrong_type"],
    ["an account in a list", { BillRefNumber: ["PG-10230"] }, "wrong_type"],
    ["a payer in a list", { MSISDN: ["254708374149"] }, "wrong_type"],
  ])("%s", (_name, changes, reason) => {
    const parsed = changed(changes);
    expect(reasonOf(parsed)).toBe(reason);
    expect(parsed).toMatchObject({ providerId: "TransID" in changes ? undefined : "SKL41ZDR7A" });
  });

  test.each([
    ["nothing", ""],
    ["half a body", JSON.stringify(VALID_BODY).slice(0, -5)],
    ["two bodies", JSON.stringify(VALID_BODY) + JSON.stringify(VALID_BODY)],
    ["a list", JSON.stringify([VALID_BODY])],
    ["null", "null"],
    ["a text", '"TransID"'],
    ["a number", "42"],
    ["a form", "TransID=SKL41ZDR7A&TransAmount=50"],
    ["XML", "<TransID>SKL41ZDR7A</TransID>"],
    ["comments", `/* hello */${JSON.stringify(VALID_BODY)}`],
    ["a thousand open lists", "[".repeat(1_000)],
  ])("%s is malformed", (_name, body) => {
    expect(reasonOf(read(body))).toBe("malformed");
  });

  test("bytes that are no UTF-8 are malformed, not replaced", () => {
    const bytes = Buffer.from(JSON.stringify(VALID_BODY).replace("WANJIRU", "WANJ?RU"));
    bytes[bytes.indexOf("?")] = 0xff;
    expect(reasonOf(parseC2b(bytes, TERMS))).toBe("malformed");
    expect(reasonOf(parseC2b(Buffer.from(JSON.stringify(VALID_BODY), "utf16le"), TERMS))).toBe("malformed");
  });

  test("a refusal tells the field and never repeats a payer's number", () => {
    const parsed = changed({ TransAmount: "-1", MSISDN: PAYER });
    expect(JSON.stringify(parsed)).not.toContain(PAYER);
  });
});

describe("whatever comes", () => {
  test("any bytes are an event or a refusal, never a fault", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(["malformed", "wrong_type"]).toContain(reasonOf(parseC2b(bytes, TERMS)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("any value in any field is an event that the database can hold, or a refusal", () => {
    const field = fc.constantFrom(...Object.keys(VALID_BODY));
    fc.assert(
      fc.property(
        field,
        fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.string({ unit: "binary", maxLength: 300 })),
        (name, value) => {
          const parsed = changed({ [name]: value });
          if (!parsed.ok) return;
          const { amount, reference, payer, at, transactionReference } = eventOf(parsed);
          const minor = amount?.minor ?? 0n;
          expect(minor > 0n && minor <= 100_000_000_000n).toBe(true);
          for (const text of [reference, payer.name ?? "", payer.phone ?? "", transactionReference ?? ""]) {
            expect(/\p{Cc}/u.test(text)).toBe(false);
            expect(text.isWellFormed()).toBe(true);
          }
          expect(at?.getTime()).not.toBeNaN();
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a price in a currency without cents is read in whole units", () => {
    const terms = { ...TERMS, currency: "UGX" as const };
    expect(eventOf(read({ ...VALID_BODY, TransAmount: "2500.00" }, terms)).amount).toEqual({
      minor: 2_500n,
      currency: "UGX",
    });
    expect(reasonOf(read({ ...VALID_BODY, TransAmount: "2500.50" }, terms))).toBe("amount_invalid");
  });
});
