import { Temporal } from "temporal-polyfill";
import { wholeMinorOf } from "./currency.ts";
import {
  c2bConfirmation,
  decimal,
  payoutResult,
  resultBody,
  stamp,
  statusParameters,
  stkCallback,
  stkResult,
  dayFirst,
} from "./daraja-bodies.ts";
import { writeDarajaStatement } from "./daraja-statement.ts";
import type { FaceReply, FaceRequest, MakeFace, OutgoingDelivery, SimulatedTransaction, World } from "./face.ts";

const SHORTCODE = "600966";
const PAY_OUT_SHORTCODE = "600967";
const PASSKEY = "simulated-passkey";
const CONSUMER = { key: "simulated-consumer-key", secret: "simulated-consumer-secret" } as const;
const INITIATOR = { name: "simulated-api-user", securityCredential: "simulated-security-credential" } as const;

const TOKEN_SECONDS = 3_599;
const RESULT_AFTER_MS = 1_500;
const PULL_REACH_MS = 48 * 3_600_000;
const PULL_ROWS = 100;
const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

type Asked = Readonly<Record<string, unknown>>;
const textOf = (asked: Asked, field: string): string => {
  const value = asked[field];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
};

/** Safaricom's Daraja from the other side. It signs nothing, and says most things once. */
export const makeDarajaFace: MakeFace = (world) => {
  const { channel } = world;
  const own = { shortcode: SHORTCODE, zone: channel.zone };
  /** Reversals have no name of ours; the one that the answer gave is kept here, with their prompts' phones. */
  const reversalOf = new Map<string, SimulatedTransaction>();
  const promptOn = new Map<string, SimulatedTransaction>();

  const draw = (alphabet: string, length: number): string =>
    Array.from({ length }, () => alphabet[Math.floor(world.chance() * alphabet.length)] ?? "0").join("");
  const makeId = (): string => draw(LETTERS_AND_DIGITS, 10);
  const conversationName = (): string =>
    `AG_${stamp(world.now(), channel.zone).slice(0, 8)}_${draw("0123456789abcdef", 20)}`;
  const originatorName = (): string => `${draw("0123456789abcdef", 4)}-4c34-8787-${draw("0123456789abcdef", 19)}`;

  function freeId(): string {
    let id = makeId();
    while (world.find({ id }) !== undefined) id = makeId();
    return id;
  }

  const post = (url: string, body: object): OutgoingDelivery => ({
    method: "POST",
    url,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    // A notice that nobody took is not repeated; only the pulled list and the statement tell of it.
    retriesMax: 0,
  });
  const confirmation = (payment: SimulatedTransaction): OutgoingDelivery =>
    post(world.doorUrl("confirmation"), c2bConfirmation(payment, own));

  function deliveries(transaction: SimulatedTransaction): readonly OutgoingDelivery[] {
    const { kind, status, callbackUrl, memory } = transaction;
    if (kind === "disbursement" && callbackUrl !== undefined)
      return [{ ...post(callbackUrl, payoutResult(transaction, channel)), isPrivate: true }];
    // Of a reversal only the API user who asked for it is told, by the result of that request.
    if (kind !== "payment" || status === "pending") return [];
    const copies = status === "completed" ? [confirmation(transaction)] : [];
    // A prompt's callback says one thing once; money that comes after "1037" comes by C2B alone.
    if (callbackUrl === undefined || (status === "completed" && memory["toldFailed"] === "yes")) return copies;
    if (status === "failed") memory["toldFailed"] = "yes";
    return [post(callbackUrl, stkCallback(transaction, channel)), ...copies];
  }

  function prompt(asked: Asked): FaceReply {
    const password = Buffer.from(`${SHORTCODE}${PASSKEY}${textOf(asked, "Timestamp")}`).toString("base64");
    if (textOf(asked, "Password") !== password || !/^\d{14}$/.test(textOf(asked, "Timestamp")))
      return failure(500, "500.001.1001", "Wrong credentials");
    const [amount, phone, reference] = ["Amount", "PhoneNumber", "AccountReference"].map((name) => textOf(asked, name));
    if (!/^[1-9]\d*$/.test(amount ?? "")) return badRequest("Invalid Amount");
    if (!/^254\d{9}$/.test(phone ?? "")) return badRequest("Invalid PhoneNumber");
    if (reference === undefined || reference.length > 12) return badRequest("Invalid AccountReference");
    const callbackUrl = textOf(asked, "CallBackURL");
    if (!URL.canParse(callbackUrl)) return badRequest("Invalid CallBackURL");
    if (promptOn.get(phone ?? "")?.status === "pending")
      return failure(
        500,
        "500.001.1001",
        "Unable to lock subscriber, a transaction is already in process for the current subscriber",
      );
    const day = dayFirst(world.now(), channel.zone, "").replace(/\D/g, "");
    const checkoutRequest = `ws_CO_${day}${draw("0123456789", 4)}${phone?.slice(3)}`;
    const merchantRequest = originatorName();
    const asking = world.requestPayment({
      id: freeId(),
      // M-Pesa knows no name of the program's. The books keep the one in the address, for whoever compares.
      correlation: callbackUrl.split("/").at(-1),
      providerCorrelation: checkoutRequest,
      amountMinor: BigInt(amount ?? "0") * wholeMinorOf(channel.currency),
      reference,
      phone: phone ?? "",
      callbackUrl,
      memory: { merchantRequest },
    });
    promptOn.set(asking.phone, asking);
    return {
      status: 200,
      body: {
        MerchantRequestID: merchantRequest,
        CheckoutRequestID: checkoutRequest,
        ResponseCode: "0",
        ResponseDescription: "Success. Request accepted for processing",
        CustomerMessage: "Success. Request accepted for processing",
      },
    };
  }

  function promptQuery(asked: Asked): FaceReply {
    const found = world.find({ providerCorrelation: textOf(asked, "CheckoutRequestID") });
    if (found === undefined) return badRequest("Invalid CheckoutRequestID");
    // Documented as an HTTP 500, though nothing is wrong.
    if (found.status === "pending") return failure(500, "500.001.1001", "The transaction is being processed");
    const { code, words } = stkResult(found);
    return {
      status: 200,
      body: {
        ResponseCode: "0",
        ResponseDescription: "The service request has been accepted successsfully",
        MerchantRequestID: found.memory["merchantRequest"],
        CheckoutRequestID: found.providerCorrelation,
        ResultCode: String(code),
        ResultDesc: words,
      },
    };
  }

  function statusQuery(asked: Asked): FaceReply {
    if (!isInitiator(asked, "Initiator")) return badRequest("Invalid Initiator");
    const name = textOf(asked, "OriginatorConversationID");
    const id = textOf(asked, "TransactionID").toUpperCase();
    const found = id === "" ? (world.find({ correlation: name }) ?? reversalOf.get(name)) : world.find({ id });
    const names = { originator: originatorName(), conversation: conversationName() };
    const shortcode = found?.kind === "disbursement" ? PAY_OUT_SHORTCODE : SHORTCODE;
    const body =
      found === undefined
        ? { code: 2032, words: "The transaction receipt number does not exist.", parameters: [] }
        : {
            code: 0,
            words: "The service request is processed successfully.",
            parameters: statusParameters(found, { ...own, shortcode }),
          };
    const result = resultBody({ ...names, ...body, transactionId: "MBN0000000" });
    world.deliver(post(textOf(asked, "ResultURL"), result), RESULT_AFTER_MS);
    return taken(names);
  }

  function reversal(asked: Asked): FaceReply {
    if (!isInitiator(asked, "Initiator")) return badRequest("Invalid Initiator");
    const names = { originator: originatorName(), conversation: conversationName() };
    const original = world.find({ id: textOf(asked, "TransactionID").toUpperCase() });
    const isPayment = original?.kind === "payment" && original.status === "completed";
    const back = isPayment ? world.reverse(original) : undefined;
    if (back !== undefined) reversalOf.set(names.originator, back);
    const failed = isPayment
      ? { code: "R000001", words: "The transaction has already been reversed." }
      : { code: "R000002", words: "The OriginalTransactionID is invalid." };
    const result =
      back === undefined
        ? resultBody({ ...names, ...failed, transactionId: "SKE0000000", parameters: [] })
        : resultBody({
            ...names,
            code: 0,
            words: "The service request is processed successfully.",
            transactionId: back.id,
            parameters: [
              ["Amount", Number(decimal(back.amountMinor, back.currency))],
              ["TransCompletedTime", Number(stamp(back.endedAt ?? back.beganAt, channel.zone))],
              ["OriginalTransactionID", back.original],
              ["Charge", 0],
              ["CreditPartyPublicName", `${back.phone} - ${back.payerName}`],
              ["DebitPartyPublicName", `${SHORTCODE} - Acme Solar`],
            ],
          });
    world.deliver(post(textOf(asked, "ResultURL"), result), RESULT_AFTER_MS);
    return taken(names);
  }

  function payout(asked: Asked): FaceReply {
    if (!isInitiator(asked, "InitiatorName")) return badRequest("Invalid InitiatorName");
    const originator = textOf(asked, "OriginatorConversationID");
    const amount = textOf(asked, "Amount");
    if (originator === "" || !/^[1-9]\d*$/.test(amount))
      return badRequest("Invalid Amount or OriginatorConversationID");
    if (world.find({ correlation: originator }) !== undefined)
      return failure(500, "500.002.1001", "Duplicate OriginatorConversationID.");
    const names = { originator, conversation: conversationName() };
    world.disburse({
      id: freeId(),
      correlation: originator,
      providerCorrelation: names.conversation,
      amountMinor: BigInt(amount) * wholeMinorOf(channel.currency),
      reference: "",
      phone: textOf(asked, "PartyB"),
      callbackUrl: textOf(asked, "ResultURL"),
    });
    return taken(names);
  }

  function pull(asked: Asked): FaceReply {
    const from = Math.max(instantOf(textOf(asked, "StartDate"), channel.zone), world.now().getTime() - PULL_REACH_MS);
    const to = instantOf(textOf(asked, "EndDate"), channel.zone);
    const offset = Number(textOf(asked, "OffSetValue"));
    if (Number.isNaN(from + to + offset)) return badRequest("Invalid dates or OffSetValue");
    const rows = world.transactions
      .filter(({ kind, status, endedAt }) => {
        const at = endedAt?.getTime() ?? -1;
        return kind === "payment" && status === "completed" && at >= from && at <= to;
      })
      // By their end, so that what ends between two pages does not move the rows of the second.
      .sort((left, right) => (left.endedAt?.getTime() ?? 0) - (right.endedAt?.getTime() ?? 0))
      .slice(offset, offset + PULL_ROWS)
      .map((payment) => ({
        transactionId: payment.id,
        trxDate: `${(payment.endedAt ?? payment.beganAt).toISOString().slice(0, 19)}Z`,
        msisdn: Number(payment.phone.replace(/^254/, "")),
        sender: payment.payerName.toUpperCase(),
        transactiontype: payment.reference === "" ? "c2b-buy-goods-debit" : "c2b-pay-bill-debit",
        billreference: payment.reference,
        amount: decimal(payment.amountMinor, payment.currency),
        organizationname: "Acme Solar",
      }));
    const [code, words] = rows.length === 0 ? ["1001", "No transactions"] : ["1000", "Success"];
    const body = { ResponseRefID: originatorName(), ResponseCode: code, ResponseMessage: words, Response: [rows] };
    return { status: 200, body };
  }

  const routes: Readonly<Record<string, (asked: Asked) => FaceReply>> = {
    "/mpesa/stkpush/v1/processrequest": prompt,
    "/mpesa/stkpushquery/v1/query": promptQuery,
    "/mpesa/transactionstatus/v1/query": statusQuery,
    "/mpesa/reversal/v1/request": reversal,
    "/mpesa/b2c/v3/paymentrequest": payout,
    "/pulltransactions/v1/query": pull,
  };

  return {
    adapter: "daraja",
    settings: () => ({
      baseUrl: world.baseUrl,
      shortcodes: [SHORTCODE],
      consumerKey: CONSUMER.key,
      consumerSecret: CONSUMER.secret,
      stk: { shortcode: SHORTCODE, passkey: PASSKEY, transactionType: "CustomerPayBillOnline" },
      initiator: { ...INITIATOR, b2cShortcode: PAY_OUT_SHORTCODE },
      pull: { shortcode: SHORTCODE },
    }),
    handle(request) {
      if (request.path === "/oauth/v1/generate") return login(request, world);
      const route = routes[request.path];
      if (route === undefined) return failure(404, "404.001.01", "Resource not found");
      if (!isFresh(request, world)) return failure(401, "404.001.03", "Invalid Access Token");
      const asked = readJson(request.body);
      return asked === undefined ? badRequest("Invalid body") : route(asked);
    },
    deliveries,
    // M-Pesa signs nothing: whoever knows the address can say this.
    forge: confirmation,
    makeId,
    payersMayBegin: true,
    tellsAmounts: true,
    statement: (period) => writeDarajaStatement(world.transactions, period, { channel, shortcode: SHORTCODE }),
  };
};

/** A token says itself until when it is good, so nothing has to be remembered. */
function login({ headers, query }: FaceRequest, world: World): FaceReply {
  const basic = `Basic ${Buffer.from(`${CONSUMER.key}:${CONSUMER.secret}`).toString("base64")}`;
  if (headers["authorization"] !== basic) return failure(400, "400.008.01", "Invalid Authentication passed");
  if (query.get("grant_type") !== "client_credentials") return failure(400, "400.008.02", "Invalid grant type passed");
  const endsAt = world.now().getTime() + TOKEN_SECONDS * 1_000;
  return { status: 200, body: { access_token: `simulated-${endsAt}`, expires_in: String(TOKEN_SECONDS) } };
}

function isFresh({ headers }: FaceRequest, world: World): boolean {
  const endsAt = /^Bearer simulated-(\d+)$/.exec(headers["authorization"] ?? "")?.[1];
  return endsAt !== undefined && Number(endsAt) > world.now().getTime();
}

function readJson(body: string): Asked | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

const isInitiator = (asked: Asked, field: string): boolean =>
  textOf(asked, field) === INITIATOR.name && textOf(asked, "SecurityCredential") === INITIATOR.securityCredential;

/** "2020-08-04 8:36:00", Nairobi's wall clock; NaN for anything else. */
function instantOf(text: string, zone: string): number {
  const [date = "", time = ""] = text.split(" ");
  try {
    const local = Temporal.PlainDateTime.from(`${date}T${time.padStart(8, "0")}`);
    return local.toZonedDateTime(zone).epochMilliseconds;
  } catch {
    return Number.NaN;
  }
}

const taken = ({ originator, conversation }: { originator: string; conversation: string }): FaceReply => ({
  status: 200,
  body: {
    OriginatorConversationID: originator,
    ConversationID: conversation,
    ResponseCode: "0",
    ResponseDescription: "Accept the service request successfully.",
  },
});

const failure = (status: number, errorCode: string, errorMessage: string): FaceReply => ({
  status,
  body: { requestId: "simulated-request", errorCode, errorMessage },
});
const badRequest = (what: string): FaceReply => failure(400, "400.002.02", `Bad Request - ${what}`);
