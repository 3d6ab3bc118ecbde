import { describe, expect, test } from "vitest";
import { NoAnswer, NotSent } from "../../../../src/platform/outbound.ts";
import { isAble, type EnquirySubject, type Rail } from "../../../../src/payments/rails/rail.ts";
import { answer, CORRELATION, NOW, openDaraja, openOn, type Script } from "./open-daraja.ts";
import { STK_ACCEPTED, STK_QUERY_PENDING, STK_REQUEST } from "./samples.ts";

const kes = (minor: bigint) => ({ minor, currency: "KES" as const });
const REQUEST = { correlation: CORRELATION, phone: "+254722111111", amount: kes(15_000n), reference: "PG-10234" };
const ORDER = {
  correlation: CORRELATION,
  phone: "+254722111111",
  amount: kes(5_000n),
  original: undefined,
  reason: "Paid & too much",
};
const ORIGINAL = { transactionReference: "RKL51ZDR4F", amount: kes(5_000n) };
const SUBJECT: EnquirySubject = {
  kind: "payment",
  correlation: CORRELATION,
  providerCorrelation: "ws_CO_1007202409152617172396192",
  transactionReference: undefined,
  amount: kes(15_000n),
  reference: "PG-10234",
  memory: {},
  requestedAt: NOW,
};
const TAKEN = {
  OriginatorConversationID: "ours",
  ConversationID: "AG_1",
  ResponseCode: "0",
  ResponseDescription: "ok",
};
const error = (errorCode: string, errorMessage: string) => ({ requestId: "1", errorCode, errorMessage });
const says =
  (status: number, body: unknown): Script =>
  () => ({ status, body });

describe("a prompt", () => {
  test("asks for whole shillings with the account, under a password of the moment, and is sent once", async () => {
    const { rail, sent } = openDaraja(says(200, STK_ACCEPTED));
    expect(await ask(rail)).toEqual({
      kind: "accepted",
      providerCorrelation: "ws_CO_1007202409152617172396192",
      payAt: undefined,
      memory: undefined,
    });
    expect(sent).toHaveLength(1);
    expect(sent[0]?.url).toBe("https://daraja.test/mpesa/stkpush/v1/processrequest");
    expect(sent[0]?.request).toMatchObject({ repeat: "once", headers: { authorization: "Bearer token" } });
    expect(sent[0]?.body).toEqual({
      BusinessShortCode: "174379",
      Password: Buffer.from("174379passkey-of-tests20261120120000").toString("base64"),
      Timestamp: "20261120120000",
      TransactionType: "CustomerPayBillOnline",
      Amount: "150",
      PartyA: "254722111111",
      PartyB: "174379",
      PhoneNumber: "254722111111",
      CallBackURL: `https://washa.test/rails/kenya/secret/stk/${CORRELATION}`,
      AccountReference: "PG-10234",
      TransactionDesc: "Instalment",
    });
    expect(Object.keys(sent[0]?.body ?? {}).sort()).toEqual(Object.keys(STK_REQUEST).sort());
    expect(rail.isRequestRepeatable).toBe(false);
  });

  test.each([
    ["cents", { amount: kes(15_050n) }],
    ["nothing", { amount: kes(0n) }],
    ["another currency", { amount: { minor: 150n, currency: "UGX" as const } }],
    ["an account that M-Pesa would cut", { reference: "PG-1023456789" }],
    ["no account", { reference: "" }],
    ["a national number", { phone: "0722111111" }],
  ])("for %s is refused before anything is sent", async (_name, changes) => {
    const { rail, sent } = openDaraja(says(200, STK_ACCEPTED));
    expect(await ask(rail, changes)).toMatchObject({ kind: "refused", isDuplicate: false });
    expect(sent).toHaveLength(0);
  });

  test.each<[string, Script, string]>([
    ["a refused account", says(400, error("400.002.02", "Bad Request - Invalid Amount")), "refused"],
    ["a phone with another prompt", says(500, error("500.001.1001", "Unable to lock subscriber")), "refused"],
    ["another response code", says(200, { ResponseCode: "1", ResponseDescription: "No" }), "refused"],
    ["a gateway at its limit", says(500, error("500.003.02", "Spike arrest violation")), "not_sent"],
    ["HTTP 429", says(429, "slow down"), "not_sent"],
    ["an internal error", says(500, error("500.003.1001", "Internal Server Error")), "unknown"],
    ["HTTP 502 of a proxy", says(502, "<html>Bad gateway</html>"), "unknown"],
    ["HTTP 200 without a word", says(200, ""), "unknown"],
    ["silence", fails(new NoAnswer("timed out")), "unknown"],
    ["a refused connection", fails(new NotSent("refused")), "not_sent"],
  ])("%s is said exactly", async (_name, script, kind) => {
    const { rail, sent } = openDaraja(script);
    expect(await ask(rail)).toMatchObject({ kind });
    expect(sent.length).toBeLessThanOrEqual(1);
  });

  test("a token that ended is replaced, and the prompt is asked once more", async () => {
    const { rail, sent } = openDaraja(() =>
      sent.length === 1
        ? { status: 401, body: error("404.001.03", "Invalid Access Token") }
        : { status: 200, body: STK_ACCEPTED },
    );
    expect(await ask(rail)).toMatchObject({ kind: "accepted" });
    expect(sent).toHaveLength(2);
  });

  test.each([
    ["wrong keys", () => answer({ status: 400, body: error("400.008.01", "Invalid Authentication passed") })],
    [
      "a login without an answer",
      () => {
        throw new NoAnswer("timed out");
      },
    ],
  ])("without a token (%s) nothing was sent", async (_name, login) => {
    const urls: string[] = [];
    const rail = openOn({
      send: async ({ url }) => {
        await Promise.resolve();
        urls.push(url);
        return login();
      },
    });
    expect(await ask(rail)).toMatchObject({ kind: "not_sent" });
    expect(urls).toEqual(["https://daraja.test/oauth/v1/generate?grant_type=client_credentials"]);
  });

  async function ask(rail: Rail, changes: Partial<typeof REQUEST> | object = {}) {
    if (!isAble(rail.requestPayment)) throw new Error(rail.requestPayment.cannot);
    return rail.requestPayment({ ...REQUEST, ...changes });
  }
});

describe("an enquiry", () => {
  test("while the payer types the PIN is answered by an error that is none", async () => {
    const { rail, sent } = openDaraja(says(500, STK_QUERY_PENDING));
    expect(await enquire(rail)).toMatchObject({
      kind: "report",
      report: {
        transactionStatus: "pending",
        correlation: CORRELATION,
        statusReason: "500.001.1001 The transaction is being processed",
      },
    });
    expect(sent[0]?.body).toMatchObject({
      CheckoutRequestID: SUBJECT.providerCorrelation,
      BusinessShortCode: "174379",
    });
  });

  test("about a paid prompt brings no receipt, so nothing is booked by it", async () => {
    const { rail } = openDaraja(says(200, { ResponseCode: "0", ResultCode: "0", ResultDesc: "ok" }));
    expect(await enquire(rail)).toMatchObject({
      kind: "report",
      report: {
        transactionStatus: "pending",
        transactionReference: undefined,
        statusReason: "paid, waiting for the receipt",
      },
    });
  });

  test.each([
    [{ ResponseCode: "0", ResultCode: "1032", ResultDesc: "Request cancelled by user" }, "failed"],
    [{ ResponseCode: "0", ResultCode: 1037, ResultDesc: "DS timeout" }, "failed"],
    [{ ResponseCode: "0", ResultCode: "4999", ResultDesc: "still under processing" }, "pending"],
  ])("%j is %s", async (body, transactionStatus) => {
    expect(await enquire(openDaraja(says(200, body)).rail)).toMatchObject({ report: { transactionStatus } });
  });

  test.each<[string, Script, string]>([
    ["a code that nobody knows", says(200, { ResponseCode: "0", ResultCode: "SFC_IC0003" }), "unreachable"],
    ["no code", says(200, { ResponseCode: "0", ResultCode: "" }), "unreachable"],
    ["an unknown prompt", says(400, error("400.002.02", "Bad Request - Invalid CheckoutRequestID")), "not_found"],
    ["an internal error", says(500, error("500.003.1001", "Internal Server Error")), "unreachable"],
    ["a page of HTML", says(503, "<html>"), "unreachable"],
    ["silence", fails(new NoAnswer("timed out")), "unreachable"],
  ])("%s never decides wrongly", async (_name, script, kind) => {
    expect(await enquire(openDaraja(script).rail)).toMatchObject({ kind });
  });

  test("about a prompt whose answer was lost: M-Pesa cannot be asked", async () => {
    const { rail, sent } = openDaraja();
    expect(await enquire(rail, { providerCorrelation: undefined })).toMatchObject({ kind: "not_found" });
    expect(sent).toHaveLength(0);
  });

  test("about a transaction is answered at our door, at an address that nobody else can guess", async () => {
    const { rail, sent } = openDaraja(says(200, TAKEN));
    const subject = {
      kind: "transaction",
      providerCorrelation: undefined,
      transactionReference: "RKL51ZDR4F",
    } as const;
    expect(await enquire(rail, subject)).toEqual({ kind: "asked" });
    expect(sent[0]?.url).toBe("https://daraja.test/mpesa/transactionstatus/v1/query");
    expect(sent[0]?.body).toMatchObject({
      TransactionID: "RKL51ZDR4F",
      PartyA: "600966",
      IdentifierType: "4",
      ResultURL: `https://washa.test/rails/kenya/secret/result/status-${CORRELATION}`,
      QueueTimeOutURL: `https://washa.test/rails/kenya/secret/timeout/status-${CORRELATION}`,
    });
  });

  test("about a pay-out without a receipt asks by our own name, about a reversal by M-Pesa's", async () => {
    const { rail, sent } = openDaraja(says(200, TAKEN));
    expect(await enquire(rail, { kind: "disbursement", providerCorrelation: undefined })).toEqual({ kind: "asked" });
    expect(sent[0]?.body).toMatchObject({
      OriginatorConversationID: CORRELATION,
      PartyA: "600997",
      ResultURL: `https://washa.test/rails/kenya/secret/result/b2c-status-${CORRELATION}`,
    });
    const reversal = { kind: "disbursement", memory: { by: "reversal" } } as const;
    expect(await enquire(rail, { ...reversal, providerCorrelation: "theirs" })).toEqual({ kind: "asked" });
    expect(sent[1]?.body).toMatchObject({ OriginatorConversationID: "theirs", PartyA: "600966" });
    expect(await enquire(rail, { ...reversal, providerCorrelation: undefined })).toMatchObject({ kind: "unreachable" });
    expect(sent).toHaveLength(2);
  });

  async function enquire(rail: Rail, changes: Partial<EnquirySubject> = {}) {
    if (!isAble(rail.enquire)) throw new Error(rail.enquire.cannot);
    return rail.enquire({ ...SUBJECT, ...changes });
  }
});

describe("money that goes back", () => {
  test("to a phone goes as a pay-out under our own name, so that asking twice pays once", async () => {
    const { rail, sent } = openDaraja(says(200, TAKEN));
    expect(await refund(rail)).toMatchObject({
      kind: "accepted",
      providerCorrelation: "AG_1",
      memory: { by: "b2c" },
    });
    expect(sent[0]?.url).toBe("https://daraja.test/mpesa/b2c/v3/paymentrequest");
    expect(sent[0]?.request.repeat).toBe("safe");
    expect(sent[0]?.body).toMatchObject({
      OriginatorConversationID: CORRELATION,
      CommandID: "BusinessPayment",
      Amount: "50",
      PartyA: "600997",
      PartyB: "254722111111",
      Remarks: "Paid   too much",
      ResultURL: `https://washa.test/rails/kenya/secret/result/b2c-${CORRELATION}`,
    });
  });

  test("under a name that M-Pesa knows already was paid before", async () => {
    const { rail } = openDaraja(says(500, error("500.002.1001", "Duplicate OriginatorConversationID.")));
    expect(await refund(rail)).toMatchObject({ kind: "refused", isDuplicate: true });
  });

  test("without a phone goes by reversing the payment, once", async () => {
    const { rail, sent } = openDaraja(says(200, TAKEN));
    expect(await refund(rail, { phone: undefined, original: ORIGINAL })).toMatchObject({
      kind: "accepted",
      providerCorrelation: "ours",
      memory: { by: "reversal" },
    });
    expect(sent[0]?.url).toBe("https://daraja.test/mpesa/reversal/v1/request");
    expect(sent[0]?.request.repeat).toBe("once");
    expect(sent[0]?.body).toMatchObject({
      CommandID: "TransactionReversal",
      TransactionID: "RKL51ZDR4F",
      Amount: "50",
      ReceiverParty: "600966",
      RecieverIdentifierType: "11",
      ResultURL: `https://washa.test/rails/kenya/secret/result/reversal-${CORRELATION}`,
    });
  });

  test.each([
    ["a part of a payment without a phone", { phone: undefined, original: ORIGINAL, amount: kes(2_000n) }],
    ["neither phone nor payment", { phone: undefined }],
    ["cents to a phone", { amount: kes(5_001n) }],
  ])("%s is refused before anything is sent", async (_name, changes) => {
    const { rail, sent } = openDaraja(says(200, TAKEN));
    expect(await refund(rail, changes)).toMatchObject({ kind: "refused", isDuplicate: false });
    expect(sent).toHaveLength(0);
  });

  async function refund(rail: Rail, changes: object = {}) {
    if (!isAble(rail.refund)) throw new Error(rail.refund.cannot);
    return rail.refund({ ...ORDER, ...changes });
  }
});

function fails(fault: Error): Script {
  return () => {
    throw fault;
  };
}
