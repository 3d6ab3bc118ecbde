import { formatDecimal, parseAmount } from "./currency.ts";
import type { Face, FaceReply, FaceRequest, MakeFace, SimulatedTransaction } from "./face.ts";

const CLIENT_ID = "orange-client";
const CLIENT_SECRET = "orange-client-secret";
const MERCHANT_KEY = "orange-merchant-key";
const COUNTRY_PATH = "dev";
const ACCESS_TOKEN = "orange-access-token";
const TOKEN_LIFE_SECONDS = 3_600;
const ORDER_ID_MAX = 30;
const URL_MAX = 120;

const HEX = "0123456789abcdef";
const DIGITS = "0123456789";
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Orange Money WebPay from the other side: access tokens, payment pages, their states and notifications. */
export const makeOrangeWebpayFace: MakeFace = (world) => {
  const { currency } = world.channel;
  const draw = (signs: string, length: number): string =>
    Array.from({ length }, () => signs[Math.floor(world.chance() * signs.length)] ?? "").join("");
  const written = (minor: bigint): string => formatDecimal(minor, currency).replace(/\.0+$/, "");

  function makeId(): string {
    const now = world.now().toISOString();
    const day = now.slice(2, 10).replaceAll("-", "");
    const minute = now.slice(11, 16).replace(":", "");
    const id = `MP${day}.${minute}.${draw(LETTERS, 1)}${draw(DIGITS, 5)}`;
    return world.find({ id }) === undefined ? id : makeId();
  }

  const notification = (transaction: SimulatedTransaction, token: string) => ({
    method: "POST" as const,
    url: transaction.callbackUrl ?? world.doorUrl("callback"),
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      status: transaction.status === "completed" ? "SUCCESS" : "FAILED",
      notif_token: token,
      txnid: transaction.status === "completed" ? transaction.id : "",
    }),
    retriesMax: 0,
  });

  function openPage(body: Record<string, unknown>): FaceReply {
    const { order_id: orderId, notif_url: notifUrl, amount } = body;
    if (body["merchant_key"] !== MERCHANT_KEY) return wrong(403, "Unknown merchant key");
    if (typeof orderId !== "string" || orderId.length > ORDER_ID_MAX || orderId === "")
      return wrong(400, `order_id must have 1 to ${ORDER_ID_MAX} characters`);
    for (const field of ["return_url", "cancel_url", "notif_url"]) {
      const address = body[field];
      if (typeof address !== "string" || address.length > URL_MAX)
        return wrong(400, `${field} must have at most ${URL_MAX} characters`);
    }
    if (body["currency"] !== currency) return wrong(400, "Unknown currency");
    const amountMinor = minorOf(amount);
    if (amountMinor === undefined) return wrong(400, "amount is not a whole number");
    if (world.find({ correlation: orderId }) !== undefined) return wrong(400, "order_id is already used");
    const payToken = draw(HEX, 64);
    const notifToken = draw(HEX, 32);
    world.requestPayment({
      id: makeId(),
      correlation: orderId,
      providerCorrelation: payToken,
      amountMinor,
      reference: typeof body["reference"] === "string" ? body["reference"] : "",
      // Orange is not told who will pay: whoever opens the page types a number.
      phone: `22507${draw(DIGITS, 8)}`,
      callbackUrl: String(notifUrl),
      memory: { notif_token: notifToken, pay_token: payToken },
    });
    return {
      status: 201,
      body: {
        status: 201,
        message: "OK",
        pay_token: payToken,
        payment_url: `${world.baseUrl}/payment/pay_token/${payToken}`,
        notif_token: notifToken,
      },
    };
  }

  const minorOf = (amount: unknown): bigint | undefined =>
    typeof amount === "number" && Number.isInteger(amount) && amount > 0
      ? parseAmount(String(amount), currency)
      : undefined;

  function tellStatus(body: Record<string, unknown>): FaceReply {
    const transaction = world.find({ correlation: String(body["order_id"]) });
    if (transaction === undefined || transaction.memory["pay_token"] !== body["pay_token"])
      return wrong(404, "Order not found");
    if (String(body["amount"]) !== written(transaction.requestedMinor)) return wrong(400, "Wrong amount");
    const isCompleted = transaction.status === "completed";
    const status = isCompleted
      ? "SUCCESS"
      : transaction.status === "pending"
        ? "PENDING"
        : transaction.failure === "timed_out"
          ? "EXPIRED"
          : "FAILED";
    return {
      status: 201,
      body: { status, order_id: transaction.correlation, txnid: isCompleted ? transaction.id : "" },
    };
  }

  function handle({ method, path, headers, body }: FaceRequest): FaceReply {
    if (method !== "POST") return wrong(405, "Method not allowed");
    if (path === "/oauth/v3/token") {
      const basic = Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString("base64");
      return headers["authorization"] === `Basic ${basic}` && body === "grant_type=client_credentials"
        ? {
            status: 200,
            body: { token_type: "Bearer", access_token: ACCESS_TOKEN, expires_in: TOKEN_LIFE_SECONDS },
          }
        : wrong(401, "Invalid client");
    }
    if (headers["authorization"] !== `Bearer ${ACCESS_TOKEN}`) return wrong(401, "Expired credentials");
    const asked = readObject(body);
    if (asked === undefined) return wrong(400, "The body is not a JSON object");
    if (path === `/orange-money-webpay/${COUNTRY_PATH}/v1/webpayment`) return openPage(asked);
    if (path === `/orange-money-webpay/${COUNTRY_PATH}/v1/transactionstatus`) return tellStatus(asked);
    return wrong(404, "Resource not found");
  }

  const face: Face = {
    adapter: "orange-webpay",
    settings: () => ({
      baseUrl: world.baseUrl,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      merchantKey: MERCHANT_KEY,
      countryPath: COUNTRY_PATH,
      returnUrl: "https://seller.example/paid",
      cancelUrl: "https://seller.example/cancelled",
    }),
    handle,
    // A page that expires is not announced: only asking tells.
    deliveries: (transaction) =>
      transaction.status === "pending" || transaction.failure === "timed_out" || transaction.kind !== "payment"
        ? []
        : [notification(transaction, transaction.memory["notif_token"] ?? "")],
    forge: (transaction) => notification({ ...transaction, status: "completed" }, draw(HEX, 32)),
    makeId,
    payersMayBegin: false,
    tellsAmounts: false,
  };
  return face;
};

const wrong = (status: number, message: string): FaceReply => ({
  status,
  body: { code: status, message, description: message },
});

function readObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
