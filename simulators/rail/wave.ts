import { createHmac } from "node:crypto";
import { formatDecimal, parseAmount } from "./currency.ts";
import type { Face, FaceReply, FaceRequest, MakeFace, OutgoingDelivery, SimulatedTransaction } from "./face.ts";

const API_KEY = "wave_sn_prod_simulated_key";
const WEBHOOK_SECRET = "wave_sn_WHS_simulated_secret";
const PAGE_MAX = 50;
/** Wave takes one percent of what a customer pays. */
const FEE_DIVISOR = 100n;
/** It tries again for days; the first tries are what matters here. */
const RETRIES_MAX = 5;

const SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SMALL = "0123456789abcdefghjkmnpqrstvwxyz";

/** Wave Business from the other side: payment pages, payouts, the wallet's list and signed webhooks. */
export const makeWaveFace: MakeFace = (world) => {
  const { currency } = world.channel;
  const draw = (signs: string, length: number): string =>
    Array.from({ length }, () => signs[Math.floor(world.chance() * signs.length)] ?? "").join("");
  const written = (minor: bigint): string =>
    minor < 0n ? `-${formatDecimal(-minor, currency)}` : formatDecimal(minor, currency);

  function makeId(): string {
    const id = `T_${draw(SIGNS, 10)}`;
    return world.find({ id }) === undefined ? id : makeId();
  }

  const sessionOf = (transaction: SimulatedTransaction) => ({
    id: transaction.providerCorrelation,
    amount: written(transaction.amountMinor),
    checkout_status:
      transaction.status === "completed" ? "complete" : transaction.status === "failed" ? "expired" : "open",
    client_reference: transaction.correlation,
    currency,
    error_url: "https://seller.example/failed",
    last_payment_error:
      transaction.status === "failed" ? { code: codeOf(transaction), message: "The payment did not succeed" } : null,
    business_name: "Simulated seller",
    payment_status:
      transaction.status === "completed" ? "succeeded" : transaction.status === "failed" ? "cancelled" : "processing",
    transaction_id: transaction.status === "completed" ? transaction.id : null,
    success_url: "https://seller.example/paid",
    wave_launch_url: `${world.baseUrl}/c/${transaction.providerCorrelation ?? ""}`,
    when_completed: transaction.endedAt === undefined ? null : seconds(transaction.endedAt),
    when_created: seconds(transaction.beganAt),
  });

  const payoutOf = (transaction: SimulatedTransaction) => ({
    id: transaction.providerCorrelation,
    currency,
    receive_amount: written(transaction.amountMinor),
    fee: written(transaction.amountMinor / FEE_DIVISOR),
    mobile: `+${transaction.phone}`,
    client_reference: transaction.correlation,
    status: { pending: "processing", completed: "succeeded", failed: "failed" }[transaction.status],
    ...(transaction.status === "failed" ? { payout_error: { error_code: codeOf(transaction) } } : {}),
    timestamp: seconds(transaction.beganAt),
  });

  function entryOf(transaction: SimulatedTransaction): object {
    const { kind, amountMinor } = transaction;
    const fee = amountMinor / FEE_DIVISOR;
    const original = transaction.original === undefined ? undefined : world.find({ id: transaction.original });
    // The wallet's entry that takes a payment back keeps the payment's name.
    const payment = kind === "reversal" ? (original ?? transaction) : transaction;
    const type = payment.providerCorrelation === undefined ? "merchant_payment" : "api_checkout";
    const types = { payment: type, reversal: `${type}_refund`, disbursement: "api_payout", fee: "merchant_sweep" };
    const changes = {
      payment: amountMinor - fee,
      reversal: fee - amountMinor,
      disbursement: -amountMinor - fee,
      fee: -amountMinor,
    };
    return {
      timestamp: seconds(transaction.endedAt ?? transaction.beganAt),
      transaction_id: payment.id,
      transaction_type: types[kind],
      amount: written(changes[kind]),
      fee: written(kind === "reversal" ? -fee : fee),
      currency,
      is_reversal: kind === "reversal",
      counterparty_name: transaction.payerName,
      counterparty_mobile: `+${transaction.phone}`,
      ...(payment.correlation === undefined ? {} : { client_reference: payment.correlation }),
      ...(type === "api_checkout" && kind !== "disbursement"
        ? { checkout_api_session_id: payment.providerCorrelation }
        : {}),
      ...(payment.correlation === undefined && payment.reference !== ""
        ? { custom_fields: { account_number: payment.reference } }
        : {}),
    };
  }

  function eventOf(transaction: SimulatedTransaction): object {
    // Each event of Wave's has its own id; of one transaction there is one.
    const id = `EV_${transaction.id.slice(2)}`;
    if (transaction.providerCorrelation !== undefined)
      return {
        id,
        type: transaction.status === "completed" ? "checkout.session.completed" : "checkout.session.payment_failed",
        data: sessionOf(transaction),
      };
    const fee = transaction.amountMinor / FEE_DIVISOR;
    return {
      id,
      type: "merchant.payment_received",
      data: {
        id: transaction.id,
        amount: written(transaction.amountMinor - fee),
        fee: written(fee),
        currency,
        sender_mobile: `+${transaction.phone}`,
        merchant_name: "Simulated seller",
        custom_fields: transaction.reference === "" ? {} : { account_number: transaction.reference },
        when_created: seconds(transaction.endedAt ?? transaction.beganAt),
      },
    };
  }

  function signed(event: object, secret: string): OutgoingDelivery {
    const body = JSON.stringify(event);
    const sign = () => {
      const timestamp = String(Math.floor(world.now().getTime() / 1_000));
      const signature = createHmac("sha256", secret)
        .update(timestamp + body)
        .digest("hex");
      return { "wave-signature": `t=${timestamp},v1=${signature}` };
    };
    return {
      method: "POST",
      url: world.doorUrl("callback"),
      // What is overheard and sent again carries the signature of that time.
      headers: { "content-type": "application/json", ...sign() },
      headersNow: sign,
      body,
      retriesMax: RETRIES_MAX,
    };
  }

  function openSession(body: Record<string, unknown>): FaceReply {
    const amountMinor = minorOf(body["amount"], body["currency"]);
    if (amountMinor === undefined) return wrong(400, "request-validation-error");
    const reference = typeof body["client_reference"] === "string" ? body["client_reference"] : undefined;
    const known = reference === undefined ? undefined : world.find({ correlation: reference });
    // The same key again: the first answer, or a refusal when the request is another one.
    if (known !== undefined)
      return known.requestedMinor === amountMinor
        ? { status: 200, body: sessionOf(known) }
        : wrong(422, "idempotency-mismatch");
    const asked = body["restrict_payer_mobile"];
    const transaction = world.requestPayment({
      id: makeId(),
      correlation: reference,
      providerCorrelation: `cos-1${draw(SMALL, 12)}`,
      amountMinor,
      reference: "",
      phone: typeof asked === "string" ? asked.replace(/^\+/, "") : `22177${draw("0123456789", 7)}`,
      callbackUrl: undefined,
    });
    return { status: 200, body: sessionOf(transaction) };
  }

  function payOut(body: Record<string, unknown>): FaceReply {
    const amountMinor = minorOf(body["receive_amount"], body["currency"]);
    const { mobile, client_reference: reference } = body;
    if (amountMinor === undefined || typeof mobile !== "string" || typeof reference !== "string")
      return wrong(400, "request-validation-error");
    const known = world.find({ correlation: reference });
    if (known !== undefined)
      return known.requestedMinor === amountMinor
        ? { status: 200, body: payoutOf(known) }
        : wrong(422, "idempotency-mismatch");
    const transaction = world.disburse({
      id: makeId(),
      correlation: reference,
      providerCorrelation: `pt-1${draw(SMALL, 12)}`,
      amountMinor,
      reference: "",
      phone: mobile.replace(/^\+/, ""),
      callbackUrl: undefined,
    });
    return { status: 200, body: payoutOf(transaction) };
  }

  function minorOf(amount: unknown, of: unknown): bigint | undefined {
    const minor = typeof amount === "string" && of === currency ? parseAmount(amount, currency) : undefined;
    return minor === 0n ? undefined : minor;
  }

  function list(query: URLSearchParams): FaceReply {
    const date = query.get("date") ?? world.now().toISOString().slice(0, 10);
    const entries = world.transactions.filter(
      ({ status, endedAt }) => status === "completed" && endedAt?.toISOString().slice(0, 10) === date,
    );
    const first = Number(query.get("after") ?? "0");
    const items = entries.slice(first, first + PAGE_MAX);
    return {
      status: 200,
      body: {
        page_info: {
          start_cursor: query.get("after"),
          end_cursor: String(first + items.length),
          has_next_page: first + items.length < entries.length,
        },
        date,
        items: items.map(entryOf),
      },
    };
  }

  function handle({ method, path, query, headers, body }: FaceRequest): FaceReply {
    if (headers["authorization"] !== `Bearer ${API_KEY}`) return wrong(401, "no-matching-api-key");
    if (method === "POST") {
      const asked = readObject(body);
      if (asked === undefined) return wrong(400, "request-validation-error");
      if (path === "/v1/checkout/sessions") return openSession(asked);
      if (path === "/v1/payout")
        return headers["idempotency-key"] === undefined ? wrong(400, "missing-idempotency-key") : payOut(asked);
      return wrong(404, "not-found");
    }
    const reference = query.get("client_reference") ?? undefined;
    const ofKind = (kind: SimulatedTransaction["kind"]) =>
      world.transactions.filter((each) => each.kind === kind && each.correlation === reference);
    switch (path) {
      case "/v1/checkout/sessions/search":
        return { status: 200, body: { result: ofKind("payment").map(sessionOf) } };
      case "/v1/payouts/search":
        return { status: 200, body: { result: ofKind("disbursement").map(payoutOf) } };
      case "/v1/transactions":
        return list(query);
    }
    const found =
      path === "/v1/checkout/sessions"
        ? world.find({ id: query.get("transaction_id") ?? "" })
        : world.find({ providerCorrelation: /^\/v1\/checkout\/sessions\/([^/]+)$/.exec(path)?.[1] ?? "" });
    return found?.providerCorrelation === undefined
      ? wrong(404, "checkout-session-not-found")
      : { status: 200, body: sessionOf(found) };
  }

  const face: Face = {
    adapter: "wave",
    settings: () => ({
      baseUrl: world.baseUrl,
      apiKey: API_KEY,
      webhookSecret: WEBHOOK_SECRET,
      successUrl: "https://seller.example/paid",
      errorUrl: "https://seller.example/failed",
    }),
    handle,
    deliveries: (transaction) => (isAnnounced(transaction) ? [signed(eventOf(transaction), WEBHOOK_SECRET)] : []),
    forge: (transaction) => signed(eventOf({ ...transaction, status: "completed" }), "somebody-elses-secret"),
    makeId,
    payersMayBegin: true,
    tellsAmounts: true,
  };
  return face;
};

/** An attempt that fails is announced; a page that was left alone just expires. Payouts and refunds are only listed. */
function isAnnounced({ kind, status, failure, providerCorrelation }: SimulatedTransaction): boolean {
  if (kind !== "payment") return false;
  if (status === "completed") return true;
  return status === "failed" && providerCorrelation !== undefined && failure !== "timed_out" && failure !== "cancelled";
}

function codeOf({ failure }: SimulatedTransaction): string {
  switch (failure) {
    case "insufficient_funds":
      return "insufficient-funds";
    case "limit":
      return "recipient-limit-exceeded";
    case "unknown_party":
      return "recipient-account-inactive";
    case "cancelled":
    case "timed_out":
    case "unreachable":
    case undefined:
      return "payment-failure";
  }
}

const seconds = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;
const wrong = (status: number, code: string): FaceReply => ({ status, body: { code, message: code } });

function readObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
