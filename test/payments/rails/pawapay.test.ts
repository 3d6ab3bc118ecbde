import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createSigner, httpbis } from "http-message-signatures";
import { describe, expect, test } from "vitest";
import type { Delivery, Rail } from "../../../src/payments/rails/rail.ts";
import { able, cameIn, CORRELATION, makeRail, nobody, railAnswered, request, SAMPLE, subject } from "./pawapay-rail.ts";

describe("from the request to the money", () => {
  test("a customer is asked, pays, and the signed callback carries every fact", async () => {
    const { world, rail } = makeRail();
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "accepted" });
    expect(await able(rail.enquire)(subject)).toMatchObject({
      kind: "report",
      report: { transactionStatus: "pending", statusReason: "SUBMITTED" },
    });
    world.clock.advance(60_000);
    const [delivery] = world.end(world.transactions[0]);
    if (delivery === undefined) throw new Error("Nothing was delivered.");
    expect(rail.callbackIs).toBe("evidence");
    expect(await rail.verify(delivery, nobody)).toEqual({ trust: "signed" });
    const expected = {
      type: "merchantpay",
      transactionStatus: "completed",
      transactionReference: CORRELATION.toUpperCase(),
      correlation: CORRELATION,
      amount: { minor: 5_000n, currency: "UGX" },
      creditParty: "pawapay-ug",
      reference: "PG-10234",
      payer: { phone: "+256772123456", hash: createHash("sha256").update("256772123456").digest() },
      at: new Date("2026-11-20T10:11:00Z"),
      statusReason: undefined,
    };
    expect(rail.parse(delivery)).toMatchObject({ ok: true, reports: [expected] });
    expect(rail.answer(delivery, { kind: "stored" }).status).toBe(200);
    expect(await able(rail.enquire)(subject)).toMatchObject({ kind: "report", report: expected });
  });

  test("asking again after a lost answer asks the customer once", async () => {
    const { world, rail } = makeRail();
    world.loseNextAnswer();
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "unknown" });
    expect(await able(rail.requestPayment)(request)).toMatchObject({ kind: "accepted" });
    expect(world.transactions).toHaveLength(1);
    expect(rail.isRequestRepeatable).toBe(true);
  });

  test("a payer who declines is heard of, with the reason", async () => {
    const { world, rail } = makeRail();
    await able(rail.requestPayment)(request);
    const [delivery] = world.end(world.transactions[0], { status: "failed", failure: "cancelled" });
    expect(delivery && rail.parse(delivery)).toMatchObject({
      ok: true,
      reports: [{ transactionStatus: "failed", statusReason: "PAYMENT_NOT_APPROVED: It did not go through." }],
    });
  });

  test("a payment that pawaPay never saw is not found", async () => {
    const { rail } = makeRail();
    expect(await able(rail.enquire)(subject)).toMatchObject({ kind: "not_found" });
  });

  test.each([
    ["to the payer's number", "+256772123456", "payouts"],
    ["of the deposit where the number is not known", undefined, "refunds"],
  ])("money goes back once, %s, and is found even when its answer was lost", async (_promise, phone, via) => {
    const { world, rail } = makeRail();
    await able(rail.requestPayment)(request);
    world.end(world.transactions[0]);
    const order = {
      correlation: "0aa3b2f1-7e5c-4d63-9a11-3c1f5d2e4b70",
      phone,
      amount: { minor: 2_000n, currency: "UGX" as const },
      original: { transactionReference: CORRELATION.toUpperCase(), amount: request.amount },
      reason: "paid twice",
    };
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "accepted", memory: { via } });
    expect(await able(rail.refund)(order)).toMatchObject({ kind: "accepted" });
    expect(world.transactions.map(({ kind }) => kind)).toEqual(["payment", "disbursement"]);
    const [delivery] = world.end(world.transactions[1]);
    const report = { type: "disbursement", transactionStatus: "completed", amount: order.amount };
    expect(delivery && rail.parse(delivery)).toMatchObject({ ok: true, reports: [report] });
    const lost = { ...subject, kind: "disbursement", correlation: order.correlation } as const;
    expect(await able(rail.enquire)(lost)).toMatchObject({ kind: "report", report });
    expect(await able(rail.enquire)({ ...lost, memory: { via } })).toMatchObject({ kind: "report", report });
  });
});

describe("who sent a callback", () => {
  async function deliver(rail: Rail, delivery: Delivery | undefined) {
    return delivery === undefined ? undefined : rail.verify(delivery, nobody);
  }
  async function paid() {
    const { world, rail } = makeRail();
    await able(rail.requestPayment)(request);
    const [delivery] = world.end(world.transactions[0]);
    if (delivery === undefined) throw new Error("Nothing was delivered.");
    return { world, rail, delivery };
  }
  const invalid = { trust: "refused", reason: "signature_invalid" };

  test("a forgery is refused, whoever's key signed it", async () => {
    const { world, rail } = await paid();
    const transaction = world.transactions[0];
    if (transaction === undefined) throw new Error("There is no transaction.");
    for (let time = 0; time < 10; time += 1)
      expect(await deliver(rail, world.arrive(world.face.forge(transaction)))).toMatchObject(invalid);
  });

  test("a changed body, address, method, date or key name breaks the signature", async () => {
    const { rail, delivery } = await paid();
    const changed = Buffer.from(Buffer.from(delivery.raw).toString().replaceAll("5000", "9000"));
    const digest = `sha-512=:${createHash("sha512").update(changed).digest("base64")}:`;
    const header = (name: string, value: string): Delivery => ({
      ...delivery,
      headers: { ...delivery.headers, [name]: value },
    });
    const input = delivery.headers["signature-input"] ?? "";
    const wrong: Delivery[] = [
      { ...delivery, raw: changed },
      { ...delivery, raw: changed, headers: { ...delivery.headers, "content-digest": digest } },
      { ...delivery, url: delivery.url.replace("callback", "other") },
      { ...delivery, method: "PUT" },
      header("signature-date", "2026-11-20T10:12:00Z"),
      header("content-digest", ""),
      header("content-digest", "md5=:AAAA:"),
      header("signature", "sig-pp=:AAAA:"),
      header("signature", "nonsense"),
      header("signature", ""),
      header("signature-input", input.replace("HTTP_EC", "HTTP_XX")),
      header("signature-input", input.replace(/created=\d+;/, "")),
      header("signature-input", input.replace('"content-digest" ', "")),
    ];
    for (const delivery of wrong) expect(await deliver(rail, delivery)).toMatchObject(invalid);
  });

  test("a right signature whose time is over, or not yet come, is stale", async () => {
    const { rail, delivery } = await paid();
    const at = (minutes: number): Delivery => ({
      ...delivery,
      receivedAt: new Date(delivery.receivedAt.getTime() + minutes * 60_000),
    });
    expect(await deliver(rail, at(9))).toEqual({ trust: "signed" });
    expect(await deliver(rail, at(-4))).toEqual({ trust: "signed" });
    expect(await deliver(rail, at(11))).toMatchObject({ trust: "refused", reason: "signature_stale" });
    expect(await deliver(rail, at(-6))).toMatchObject({ trust: "refused", reason: "signature_stale" });
  });

  test("without a signature it is refused where one is required, and a hint elsewhere", async () => {
    const { rail } = makeRail();
    expect(await deliver(rail, cameIn(SAMPLE))).toMatchObject(invalid);
    const { rail: lenient } = railAnswered({}, () => ({ status: 200 }));
    expect(lenient.callbackIs).toBe("hint");
    expect(await deliver(lenient, cameIn(SAMPLE))).toEqual({ trust: "unsigned" });
  });

  const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }).toString();
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" });

  /** Signed by the package, not by our face. */
  async function verifySigned(keys: typeof rsa, { algorithm, fields }: { algorithm: string; fields: string[] }) {
    const { rail } = railAnswered({ requireSignature: true, publicKeys: { key: pem(keys.publicKey) } }, () => ({
      status: 200,
    }));
    const delivery = cameIn(SAMPLE);
    const digest = createHash("sha256").update(delivery.raw).digest("base64");
    const signed = await httpbis.signMessage(
      {
        key: createSigner(keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), algorithm, "key"),
        fields,
        params: ["created", "keyid", "alg"],
        paramValues: { created: delivery.receivedAt },
      },
      { method: "POST", url: delivery.url, headers: { "content-digest": `sha-256=:${digest}:` } },
    );
    const headers = Object.fromEntries(
      Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    return rail.verify({ ...delivery, headers }, nobody);
  }

  test.each([
    ["ecdsa-p256-sha256", p256, true],
    ["ecdsa-p384-sha384", p384, true],
    ["rsa-pss-sha512", rsa, true],
    ["rsa-v1_5-sha256", rsa, true],
    ["rsa-v1_5-sha1", rsa, false],
    ["ecdsa-p384-sha384", p256, false],
  ])("%s, signed as the standard says", async (algorithm, keys, isTrusted) => {
    const fields = ["@method", "@authority", "@path", "content-digest"];
    expect(await verifySigned(keys, { algorithm, fields })).toMatchObject(isTrusted ? { trust: "signed" } : invalid);
  });

  test("a right signature that leaves out the body proves nothing about it", async () => {
    const signing = { algorithm: "ecdsa-p256-sha256", fields: ["@method", "@path"] };
    expect(await verifySigned(p256, signing)).toMatchObject(invalid);
  });
});
