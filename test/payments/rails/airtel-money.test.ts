import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CALLBACK_KEY, openWith } from "./airtel-money.account.ts";
import { deliveryOf, doorUrl } from "./mtn-momo.simulator.ts";

/** As documented, with a hash whose key nobody published. */
const authenticated = {
  transaction: {
    id: "BBZMiscxy",
    message: "Paid UGX 5,000 to TECHNOLOGIES LIMITED Charge UGX 140, Trans ID MP210603.1234.L06941.",
    status_code: "TS",
    airtel_money_id: "MP210603.1234.L06941",
  },
  hash: "zITVAAGYSlzl1WkUQJn81kbpT5drH3koffT8jCkcJJA=",
};
const inProgress = { transaction: { id: "BBZMiscxz", message: "In progress", status_code: "TIP" } };

const { rail: quietRail } = openWith(() => ({ status: 500 }));
const delivered = (body: unknown) =>
  deliveryOf({
    method: "POST",
    url: doorUrl("callback"),
    headers: {},
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
const parse = (body: unknown) => quietRail.parse(delivered(body));
const verify = (body: unknown) => quietRail.verify(delivered(body), () => Promise.resolve(undefined));
const hashOf = (text: string, key = CALLBACK_KEY) => createHmac("sha256", key).update(text).digest("base64");

describe("what Airtel tells", () => {
  test("a success tells our name, Airtel's name and nothing about the money", () => {
    expect(parse(authenticated)).toEqual({
      ok: true,
      reports: [
        {
          type: "merchantpay",
          transactionStatus: "completed",
          transactionReference: "MP210603.1234.L06941",
          correlation: "BBZMiscxy",
          originalTransactionReference: undefined,
          amount: undefined,
          creditParty: "airtel-ug",
          reference: "",
          payer: { phone: undefined, hash: undefined, name: undefined },
          at: undefined,
          statusReason: undefined,
        },
      ],
    });
  });

  test("a payment in progress unlocks nothing", () => {
    expect(parse(inProgress)).toMatchObject({
      ok: true,
      reports: [{ transactionStatus: "pending", transactionReference: undefined, statusReason: "TIP: In progress" }],
    });
    const withName = { transaction: { ...authenticated.transaction, status_code: "TIP" } };
    expect(parse(withName)).toMatchObject({
      reports: [{ transactionStatus: "pending", transactionReference: undefined }],
    });
  });

  test.each([
    ["TF", "failed"],
    ["TE", "failed"],
    ["TA", "pending"],
    ["TIP", "pending"],
    ["TS", "completed"],
  ])("%s means %s", (letters, transactionStatus) => {
    const body = { transaction: { ...authenticated.transaction, status_code: letters } };
    expect(parse(body)).toMatchObject({ ok: true, reports: [{ type: "merchantpay", transactionStatus }] });
  });

  test("a payment that went back is a reversal of it, under a name of its own", () => {
    expect(parse({ transaction: { ...authenticated.transaction, status_code: "TR" } })).toMatchObject({
      ok: true,
      reports: [
        {
          type: "reversal",
          transactionStatus: "completed",
          transactionReference: "TR-MP210603.1234.L06941",
          originalTransactionReference: "MP210603.1234.L06941",
        },
      ],
    });
  });

  test("no other word counts as paid", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom("SUCCESS", "200", "T S", "TSS", "toString", "")), (letters) => {
        fc.pre(letters.trim().toUpperCase() !== "TS");
        const parsed = parse({ transaction: { ...authenticated.transaction, status_code: letters } });
        const isPaid =
          parsed.ok &&
          parsed.reports.some((told) => told.type !== "reversal" && told.transactionStatus === "completed");
        expect(isPaid).toBe(false);
      }),
    );
  });

  test.each([
    ["a success without Airtel's name", { transaction: { id: "a", status_code: "TS" } }, "malformed"],
    ["no name of ours", { transaction: { ...authenticated.transaction, id: "" } }, "intent_unknown"],
    ["no transaction", { hash: "x" }, "malformed"],
    ["an unreadable name", { transaction: { ...authenticated.transaction, airtel_money_id: "a b" } }, "malformed"],
    ["no JSON", "TS", "malformed"],
    ["a list", [authenticated], "malformed"],
  ])("%s is kept and not used", (_what, body, reason) => {
    expect(parse(body)).toMatchObject({ ok: false, reason });
  });

  test("our name comes back as it was given out", () => {
    fc.assert(
      fc.property(fc.uuid({ version: 4 }), (correlation) => {
        const id = correlation.replaceAll("-", "");
        for (const written of [id, id.toUpperCase()])
          expect(parse({ transaction: { ...inProgress.transaction, id: written } })).toMatchObject({
            reports: [{ correlation }],
          });
      }),
    );
  });

  test("no bytes make the door fall over", async () => {
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .dictionary(fc.constantFrom("id", "message", "status_code", "airtel_money_id"), fc.jsonValue())
        .map((transaction) => JSON.stringify({ transaction, hash: hashOf("") })),
    );
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const parsed = parse(text);
        expect(parsed.ok ? parsed.reports.length : parsed.detail.length).toBeGreaterThan(0);
        expect((await verify(text)).trust).not.toBe("signed");
      }),
    );
  });
});

describe("the hash", () => {
  const inner = JSON.stringify(authenticated.transaction);
  const signedOver = (text: string) => `{"transaction":${inner},"hash":"${hashOf(text)}"}`;

  test("over the whole or over the inner object, both are Airtel's", async () => {
    expect(await verify(signedOver(`{"transaction":${inner}}`))).toEqual({ trust: "signed" });
    expect(await verify(signedOver(inner))).toEqual({ trust: "signed" });
  });

  test("spaces, another order and escapes stay as they were signed", async () => {
    const odd = '{ "id" : "BBZMiscxy",\n "message": "Paid \\u0041, \\"}\\" , [hash]",  "status_code":"TS" , "n": 1.50}';
    const compact = JSON.stringify(JSON.parse(odd));
    for (const signed of [odd, `{"transaction":${odd}}`, compact, `{"transaction":${compact}}`]) {
      const hash = hashOf(signed);
      expect(await verify(`{"transaction":${odd},"hash":"${hash}"}`)).toEqual({ trust: "signed" });
      expect(await verify(` { "hash" : "${hash}" ,\n"transaction" : ${odd} } `)).toEqual({ trust: "signed" });
    }
    const pretty = `{\n  "transaction": ${odd}\n}`;
    expect(await verify(`{\n  "transaction": ${odd},\n  "hash": "${hashOf(pretty)}"\n}`)).toEqual({ trust: "signed" });
  });

  test("a hash by another key, of another body or of no form is a forgery", async () => {
    const forgeries = [
      authenticated,
      `{"transaction":${inner},"hash":"${hashOf(inner, "another key")}"}`,
      signedOver(inner).replace("BBZMiscxy", "BBZMiscxx"),
      { ...authenticated, hash: "" },
      { ...authenticated, hash: null },
      { ...authenticated, hash: hashOf(inner).replace("=", "") },
      { hash: hashOf("") },
    ];
    for (const body of forgeries)
      expect(await verify(body)).toMatchObject({ trust: "refused", reason: "signature_invalid" });
  });

  test("a signed transaction cannot hide a forged one of the same name", async () => {
    const forged = inner.replace("BBZMiscxy", "BBZMiscxx");
    const { hash } = JSON.parse(signedOver(inner)) as { hash: string };
    for (const name of ["transaction", "transac\\u0074ion"]) {
      for (const [first, second] of [
        [inner, forged],
        [forged, inner],
      ])
        expect(await verify(`{"transaction":${first},"${name}":${second},"hash":"${hash}"}`)).toMatchObject({
          trust: "refused",
        });
    }
  });

  test("no letter of a signed transaction can be changed", async () => {
    const signed = signedOver(inner);
    await fc.assert(
      fc.asyncProperty(fc.nat(inner.length - 1), fc.constantFrom("A", "9", " ", '"', "T"), async (place, sign) => {
        const at = signed.indexOf(inner) + place;
        fc.pre(signed[at] !== sign);
        const changed = signed.slice(0, at) + sign + signed.slice(at + 1);
        const { trust } = await verify(changed);
        // What is no JSON any more is nobody's word, and is not read either.
        expect(trust === "refused" || (trust === "unsigned" && !parse(changed).ok)).toBe(true);
      }),
    );
  });

  test("older markets sign nothing: then it is a hint like any other", async () => {
    expect(await verify(inProgress)).toEqual({ trust: "unsigned" });
    expect(quietRail.callbackIs).toBe("hint");
  });
});
