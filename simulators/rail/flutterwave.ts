import { formatDecimal, parseAmount } from "./currency.ts";
import type { Face, FaceReply, FaceRequest, MakeFace, OutgoingDelivery, SimulatedTransaction } from "./face.ts";

const SECRET_KEY = "FLWSECK-simulated-X";
const VERIF_HASH = "simulated-verif-hash";
const PAGE_MAX = 50;
const RETRIES_MAX = 3;
const ID_FIRST = 285_000_000;
const REFUND_PREFIX = "FLW-REFUND-";

/** Flutterwave version 3 from the other side: charges, their verification, refunds, lists, hashed webhooks. */
export const makeFlutterwaveFace: MakeFace = (world) => {
  const { currency } = world.channel;
  let made = 0;
  // In the books it has a prefix; on the wire Flutterwave's id is a number.
  const makeId = (): string => {
    made += 1 + Math.floor(world.chance() * 40);
    return `FLW-${ID_FIRST + made}`;
  };
  const numberOf = (id: string): number => Number(/\d+$/.exec(id)?.[0] ?? "0");
  /** Amounts are JSON numbers, written with the currency's own decimals. */
  const written = (minor: bigint): number => Number(formatDecimal(minor, currency));

  const chargeOf = (transaction: SimulatedTransaction) => ({
    id: numberOf(transaction.id),
    tx_ref: transaction.correlation ?? transaction.reference,
    flw_ref: `SimulatedSeller/FLW${numberOf(transaction.id)}`,
    amount: written(transaction.amountMinor),
    currency,
    charged_amount: written(transaction.amountMinor),
    app_fee: 0,
    merchant_fee: 0,
    processor_response: transaction.status === "failed" ? (transaction.failure ?? "failed") : "Approved",
    narration: "Simulated seller",
    status: { completed: "successful", failed: "failed", pending: "pending" }[transaction.status],
    payment_type: "mobilemoney",
    created_at: transaction.beganAt.toISOString(),
    customer: { id: 1, name: transaction.payerName, phone_number: transaction.phone, email: "payer@seller.example" },
  });

  const refundOf = (transaction: SimulatedTransaction) => ({
    id: numberOf(transaction.id),
    tx_id: numberOf(transaction.original ?? ""),
    amount_refunded: written(transaction.amountMinor),
    status: transaction.status,
    destination: "payment_source",
    comments: transaction.memory["comments"] ?? "Refunded at the dashboard",
    created_at: transaction.beganAt.toISOString(),
  });

  const webhook = (transaction: SimulatedTransaction, hash: string): OutgoingDelivery => ({
    method: "POST",
    url: world.doorUrl("callback"),
    headers: { "content-type": "application/json", "verif-hash": hash },
    body: JSON.stringify({ event: "charge.completed", data: chargeOf(transaction) }),
    retriesMax: RETRIES_MAX,
  });

  function charge(body: Record<string, unknown>, type: string | null): FaceReply {
    const { tx_ref: reference, phone_number: phone, email } = body;
    const amountMinor = minorOf(body["amount"]);
    if (type === null || body["currency"] !== currency || amountMinor === undefined)
      return wrong(400, "Invalid amount");
    if (typeof reference !== "string" || reference === "") return wrong(400, "tx_ref is required");
    if (typeof phone !== "string" || typeof email !== "string") return wrong(400, "email is required");
    if (world.find({ correlation: reference }) !== undefined)
      return wrong(400, "Duplicate tx_ref: this transaction reference has been used");
    const transaction = world.requestPayment({
      id: makeId(),
      correlation: reference,
      providerCorrelation: undefined,
      amountMinor,
      reference: accountIn(body["meta"]),
      phone,
      callbackUrl: undefined,
    });
    return {
      status: 200,
      body: {
        status: "success",
        message: "Charge initiated",
        data: chargeOf(transaction),
        meta: {
          authorization: { mode: "redirect", redirect: `${world.baseUrl}/captcha/verify/${numberOf(transaction.id)}` },
        },
      },
    };
  }

  function refund(id: string, body: Record<string, unknown>): FaceReply {
    const original = world.find({ id: `FLW-${id}` });
    if (original?.status !== "completed" || original.kind !== "payment")
      return wrong(400, "No transaction was found for this id");
    const amountMinor = body["amount"] === undefined ? original.amountMinor : minorOf(body["amount"]);
    const comments = typeof body["comments"] === "string" ? body["comments"] : "";
    const given = world.transactions
      .filter((each) => each.original === original.id && each.status !== "failed")
      .reduce((sum, each) => sum + each.amountMinor, 0n);
    if (amountMinor === undefined || given + amountMinor > original.amountMinor)
      return wrong(400, "Refund amount is more than what is left of the transaction");
    const transaction = world.disburse({
      id: makeId().replace("FLW-", REFUND_PREFIX),
      correlation: /^[0-9a-f-]{36}/.exec(comments)?.[0],
      providerCorrelation: undefined,
      amountMinor,
      reference: "",
      phone: original.phone,
      callbackUrl: undefined,
      original: original.id,
      memory: { comments },
    });
    return {
      status: 200,
      body: { status: "success", message: "Transaction refund initiated", data: refundOf(transaction) },
    };
  }

  function minorOf(amount: unknown): bigint | undefined {
    if (typeof amount !== "string" && typeof amount !== "number") return undefined;
    const minor = parseAmount(String(amount), currency);
    return minor === 0n ? undefined : minor;
  }

  function list(
    rows: readonly SimulatedTransaction[],
    query: URLSearchParams,
    show: typeof chargeOf | typeof refundOf,
  ) {
    const from = query.get("from") ?? "";
    const to = query.get("to") ?? "9999";
    const within = rows.filter(({ beganAt }) => {
      const day = beganAt.toISOString().slice(0, 10);
      return from <= day && day <= to;
    });
    const page = Number(query.get("page") ?? "1");
    return {
      status: 200,
      body: {
        status: "success",
        message: "Fetched",
        meta: {
          page_info: {
            total: within.length,
            current_page: page,
            total_pages: Math.max(1, Math.ceil(within.length / PAGE_MAX)),
          },
        },
        data: within.slice((page - 1) * PAGE_MAX, page * PAGE_MAX).map((row) => show(row)),
      },
    };
  }

  function handle({ method, path, query, headers, body }: FaceRequest): FaceReply {
    if (headers["authorization"] !== `Bearer ${SECRET_KEY}`) return wrong(401, "Invalid authorization key");
    const refunded = /^\/v3\/transactions\/(\d+)\/refund$/.exec(path)?.[1];
    if (method === "POST") {
      const asked = readObject(body);
      if (asked === undefined) return wrong(400, "The body is not a JSON object");
      if (path === "/v3/charges") return charge(asked, query.get("type"));
      return refunded === undefined ? wrong(404, "Not found") : refund(refunded, asked);
    }
    if (path === "/v3/transactions") return list(ofKind("payment"), query, chargeOf);
    if (path === "/v3/refunds") return list([...ofKind("disbursement"), ...ofKind("reversal")], query, refundOf);
    const refundId = /^\/v3\/refunds\/(\d+)$/.exec(path)?.[1];
    if (refundId !== undefined) {
      const found = world.find({ id: REFUND_PREFIX + refundId });
      return found === undefined ? wrong(404, "No refund was found for this id") : told(refundOf(found));
    }
    const verified = /^\/v3\/transactions\/(\d+)\/verify$/.exec(path)?.[1];
    const found =
      path === "/v3/transactions/verify_by_reference"
        ? ofKind("payment").find(({ correlation }) => correlation === query.get("tx_ref"))
        : ofKind("payment").find(({ id }) => id === `FLW-${verified ?? ""}`);
    return found === undefined ? wrong(400, "No transaction was found for this id") : told(chargeOf(found));
  }

  const ofKind = (kind: SimulatedTransaction["kind"]): SimulatedTransaction[] =>
    world.transactions.filter((each) => each.kind === kind);

  const face: Face = {
    adapter: "flutterwave",
    settings: () => ({
      baseUrl: world.baseUrl,
      secretKey: SECRET_KEY,
      verifHash: VERIF_HASH,
      payerEmail: "payments@seller.example",
    }),
    handle,
    deliveries: (transaction) =>
      transaction.kind === "payment" && transaction.status !== "pending" ? [webhook(transaction, VERIF_HASH)] : [],
    forge: (transaction) => webhook({ ...transaction, status: "completed" }, "somebody-elses-hash"),
    makeId,
    payersMayBegin: false,
    tellsAmounts: true,
  };
  return face;
};

const told = (data: object): FaceReply => ({
  status: 200,
  body: { status: "success", message: "Transaction fetched successfully", data },
});
const wrong = (status: number, message: string): FaceReply => ({
  status,
  body: { status: "error", message, data: null },
});

function accountIn(meta: unknown): string {
  return typeof meta === "object" && meta !== null && "account" in meta && typeof meta.account === "string"
    ? meta.account
    : "";
}

function readObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
