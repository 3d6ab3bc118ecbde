import { formatAccountNumber, parseAccountNumber } from "../../src/credit/account-number.ts";
import { isAble, type Delivery } from "../../src/payments/rails/rail.ts";
import {
  ask,
  come,
  CORRELATION,
  enquire,
  missingFields,
  NOW,
  open,
  sampleOf,
  sha256,
  type Outcomes,
  type Sample,
} from "./payload-samples.open.ts";

const toMpesa =
  (door: string, parameter?: string) =>
  async ({ request }: Sample) =>
    come(open("daraja").rail, request, { door, ...(parameter === undefined ? {} : { parameter }) });

const validation: Delivery = {
  door: "validation",
  parameter: undefined,
  method: "POST",
  url: "",
  headers: {},
  raw: new Uint8Array(),
  receivedAt: NOW,
};

const STORED = { status: 200, body: { ResultCode: 0, ResultDesc: "Success" } };
const masked = { phone: undefined, hash: undefined };
const kes = (minor: bigint) => ({ minor, currency: "KES" });

/** M-Pesa's samples. */
export const MPESA_OUTCOMES: Outcomes = {
  "01-daraja-c2b-v2-validation-accept.json": {
    told: async (sample) => {
      const read = await toMpesa("validation")(sample);
      const { ThirdPartyTransID: _, ...documented } = { ThirdPartyTransID: "", ...sample.expectedMerchantReply?.body };
      const answer = open("daraja").rail.answer(validation, { kind: "payable" });
      return { ...read, answer, isAsDocumented: JSON.stringify(answer.body) === JSON.stringify(documented) };
    },
    comesTo: {
      trust: "unsigned",
      type: "billpay",
      amount: kes(5_000n),
      reference: "PG-10234",
      payer: masked,
      answer: { status: 200 },
      isAsDocumented: true,
    },
  },
  "02-daraja-c2b-v2-validation-reject-account.json": {
    told: async (sample) => ({
      ...(await toMpesa("validation")(sample)),
      answer: open("daraja").rail.answer(validation, { kind: "account_unknown" }),
    }),
    comesTo: {
      reference: "99999999",
      answer: { status: 200, body: { ResultCode: "C2B00012", ResultDesc: "Rejected" } },
    },
  },
  "03-daraja-c2b-v2-confirmation.json": {
    told: toMpesa("confirmation"),
    comesTo: {
      trust: "unsigned",
      type: "billpay",
      transactionStatus: "completed",
      transactionReference: "RKL51ZDR4F",
      amount: kes(500n),
      creditParty: "600966",
      reference: "Sample Transaction",
      payer: { ...masked, name: "NICHOLAS" },
      at: new Date("2023-11-21T09:13:25Z"),
      answer: STORED,
    },
  },
  "04-daraja-c2b-v1-confirmation-hashed-msisdn.json": {
    told: toMpesa("confirmation"),
    comesTo: {
      transactionStatus: "completed",
      transactionReference: "SGL7OK31PQ",
      amount: kes(5_000n),
      payer: { phone: undefined, hash: sha256("254708374149") },
      answer: STORED,
    },
  },
  "05-daraja-c2b-confirmation-legacy-clear-msisdn.json": {
    told: toMpesa("confirmation"),
    comesTo: {
      transactionStatus: "completed",
      amount: kes(150_000n),
      payer: { phone: "+254720123123", hash: sha256("254720123123") },
      answer: STORED,
    },
  },
  "06-daraja-c2b-confirmation-typo-account.json": {
    told: async (sample) => {
      const read = await toMpesa("confirmation")(sample);
      const number = parseAccountNumber(String((read as { reference?: string }).reference));
      return { ...read, account: number === undefined ? undefined : formatAccountNumber(number) };
    },
    // The account of the sample has no check digit of ours: it is kept as typed and is nobody's.
    comesTo: { transactionStatus: "completed", reference: " pg-1o234 ", account: undefined, answer: STORED },
  },
  "07-daraja-c2b-confirmation-till-no-account.json": {
    told: toMpesa("confirmation"),
    comesTo: {
      type: "merchantpay",
      transactionStatus: "completed",
      amount: kes(10_000n),
      reference: "",
      payer: masked,
      answer: STORED,
    },
  },
  "08-daraja-c2b-duplicate-confirmation.json": {
    told: async (sample) => {
      const first = await sampleOf("03-daraja-c2b-v2-confirmation.json");
      const isSame = JSON.stringify(sample.request.body) === JSON.stringify(first.request.body);
      return { ...(await toMpesa("confirmation")(sample)), isSame };
    },
    comesTo: { transactionReference: "RKL51ZDR4F", amount: kes(500n), answer: STORED, isSame: true },
  },
  "10-daraja-stk-request.json": {
    told: async ({ request, providerReply }) => {
      const { outcome, sent } = await ask(
        "daraja",
        { status: 200, body: providerReply },
        { phone: "+254722111111", minor: 100n, reference: "accountref" },
      );
      return { outcome, path: sent?.path, fields: missingFields(sent?.body, request.body), body: sent?.body };
    },
    comesTo: {
      outcome: { kind: "accepted", providerCorrelation: "ws_CO_1007202409152617172396192" },
      path: "/mpesa/stkpush/v1/processrequest",
      fields: [],
      body: { TransactionType: "CustomerPayBillOnline", PhoneNumber: "254722111111", AccountReference: "accountref" },
    },
  },
  "11-daraja-stk-callback-success.json": {
    told: toMpesa("stk", CORRELATION),
    comesTo: {
      trust: "unsigned",
      transactionStatus: "completed",
      transactionReference: "NLJ7RT61SV",
      correlation: CORRELATION,
      amount: kes(100n),
      reference: "",
      payer: { phone: "+254708374149" },
      at: new Date("2019-12-19T07:21:15Z"),
      answer: STORED,
    },
  },
  "12-daraja-stk-callback-balance-without-value.json": {
    told: toMpesa("stk"),
    comesTo: {
      transactionStatus: "completed",
      transactionReference: "OEB44R5U3U",
      correlation: "ws_CO_110520202014057155",
      amount: kes(100n),
      answer: STORED,
    },
  },
  "13-daraja-stk-callback-cancelled.json": {
    told: toMpesa("stk", CORRELATION),
    comesTo: {
      transactionStatus: "failed",
      correlation: CORRELATION,
      statusReason: "1032 Request cancelled by user",
      answer: STORED,
    },
  },
  "14-daraja-stk-callback-timeout.json": {
    told: toMpesa("stk", CORRELATION),
    comesTo: { transactionStatus: "failed", statusReason: "1037 DS timeout user cannot be reached", answer: STORED },
  },
  "15-daraja-stk-callback-nonnumeric-code.json": {
    told: toMpesa("stk", CORRELATION),
    comesTo: { refused: "status_unknown", answer: STORED },
  },
  "16-daraja-stk-query-pending.json": {
    told: async ({ providerReply }) => enquire("daraja", { status: 500, body: providerReply }),
    comesTo: { kind: "report", report: { transactionStatus: "pending" } },
  },
  "20-daraja-reversal-result-success.json": {
    told: toMpesa("result", `reversal-${CORRELATION}`),
    comesTo: {
      type: "reversal",
      transactionStatus: "completed",
      transactionReference: "SKE52PAWR9",
      originalTransactionReference: "SKC82PACB8",
      correlation: CORRELATION,
      amount: kes(100n),
      at: new Date("2021-11-14T10:27:11Z"),
      answer: STORED,
    },
  },
  "21-daraja-reversal-result-failed.json": {
    told: toMpesa("result", `reversal-${CORRELATION}`),
    comesTo: {
      type: "reversal",
      transactionStatus: "failed",
      correlation: CORRELATION,
      statusReason: "R000002 The OriginalTransactionID is invalid.",
      answer: STORED,
    },
  },
  "22-daraja-b2c-result-success.json": {
    told: toMpesa("result", `b2c-${CORRELATION}`),
    comesTo: {
      type: "disbursement",
      transactionStatus: "completed",
      transactionReference: "SG632NMUAB",
      correlation: CORRELATION,
      amount: kes(1_000n),
      at: new Date("2024-07-06T19:48:52Z"),
      answer: STORED,
    },
  },
  "23-daraja-transaction-status-result.json": {
    told: toMpesa("result", `b2c-status-${CORRELATION}`),
    comesTo: {
      type: "disbursement",
      transactionStatus: "completed",
      transactionReference: "MBN31H462N",
      correlation: CORRELATION,
      amount: kes(30_000n),
      payer: { phone: "+254708374149" },
      answer: STORED,
    },
  },
  "24-daraja-pull-transactions-page.json": {
    told: async ({ providerReply }) => {
      const { list } = open("daraja", { status: 200, body: providerReply }).rail;
      if (!isAble(list)) throw new Error(list.cannot);
      return await list.page({ from: new Date(NOW.getTime() - 3_600_000), to: NOW, cursor: undefined });
    },
    comesTo: {
      items: [
        {
          report: {
            type: "billpay",
            transactionStatus: "completed",
            transactionReference: "LHG31AA5TX",
            amount: kes(5_000n),
            reference: "PG-10234",
            payer: { phone: "+254722000000" },
            at: new Date("2020-08-05T10:13:00Z"),
          },
        },
      ],
      unreadable: [],
      next: undefined,
    },
  },
};
