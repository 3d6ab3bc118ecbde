import { formatAmount, parseAmount } from "./currency.ts";
import type { FaceReply, FaceRequest, MakeFace, OutgoingDelivery, SimulatedTransaction } from "./face.ts";

const TARGET_ENVIRONMENT = "mtnsimulated";
const TOKEN_LIFE_MS = 3_600_000;
const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

type Product = "collection" | "disbursement";
const PRODUCTS: Readonly<Record<Product, { readonly path: string; readonly kind: SimulatedTransaction["kind"] }>> = {
  collection: { path: "/collection/v1_0/requesttopay", kind: "payment" },
  disbursement: { path: "/disbursement/v1_0/transfer", kind: "disbursement" },
};

const REASONS: Readonly<Record<NonNullable<SimulatedTransaction["failure"]>, readonly [string, string]>> = {
  cancelled: ["APPROVAL_REJECTED", "The payer declined"],
  timed_out: ["COULD_NOT_PERFORM_TRANSACTION", "Transaction timed out"],
  unreachable: ["INTERNAL_PROCESSING_ERROR", "An internal error occurred while processing"],
  insufficient_funds: ["NOT_ENOUGH_FUNDS", "The payer does not have enough funds"],
  limit: ["PAYER_LIMIT_REACHED", "The payer's limit has been breached"],
  unknown_party: ["PAYEE_NOT_FOUND", "Payee does not exist"],
};

/**
 * MTN MoMo's Collection and Disbursement API. News of a payment goes once to the address that the request named, by PUT
 * or POST, unsigned and without the request's name. MTN tells nobody of a reversal: the status stays SUCCESSFUL.
 */
export const makeMtnMomoFace: MakeFace = (world) => {
  const { channel } = world;
  const tokens = new Map<string, { readonly product: Product; readonly endsAt: number }>();
  let tokensMade = 0;

  const keysOf = (product: Product) => ({
    subscriptionKey: `${channel.name}-${product}-subscription`,
    apiUser: `${channel.name}-${product}-user`,
    apiKey: `${channel.name}-${product}-key`,
  });

  const makeId = (): string => String(1_000_000_000 + Math.floor(world.chance() * 9_000_000_000));

  function unusedId(): string {
    let id = makeId();
    while (world.find({ id }) !== undefined) id = makeId();
    return id;
  }

  function login(product: Product, { headers }: FaceRequest): FaceReply {
    const { apiUser, apiKey } = keysOf(product);
    const basic = `Basic ${Buffer.from(`${apiUser}:${apiKey}`).toString("base64")}`;
    if (headers["authorization"] !== basic) return { status: 401, body: { error: "login_failed" } };
    const now = world.now().getTime();
    for (const [token, { endsAt }] of tokens) if (endsAt <= now) tokens.delete(token);
    tokensMade += 1;
    const token = `${channel.name}-${product}-token-${tokensMade}`;
    tokens.set(token, { product, endsAt: now + TOKEN_LIFE_MS });
    return {
      status: 200,
      body: { access_token: token, token_type: "access_token", expires_in: TOKEN_LIFE_MS / 1_000 },
    };
  }

  /** What MTN says before it looks at the request itself. */
  function turnAway(product: Product, { headers }: FaceRequest): FaceReply | undefined {
    const held = tokens.get((headers["authorization"] ?? "").replace(/^Bearer /, ""));
    if (held?.product !== product || held.endsAt <= world.now().getTime())
      return { status: 401, body: { message: "Unauthorized" } };
    if (headers["x-target-environment"] !== TARGET_ENVIRONMENT)
      return wrong(500, "NOT_ALLOWED_TARGET_ENVIRONMENT", "Access to target environment is forbidden.");
    return undefined;
  }

  function take(product: Product, request: FaceRequest): FaceReply {
    const correlation = request.headers["x-reference-id"] ?? "";
    if (!UUID_4.test(correlation)) return wrong(400, "INVALID_REFERENCE_ID", "Reference ID must be a UUID version 4.");
    if (world.find({ correlation }) !== undefined)
      return wrong(409, "RESOURCE_ALREADY_EXIST", "Duplicated reference id. Creation of resource failed.");
    const body = readBody(request.body);
    const party = product === "collection" ? body.payer : body.payee;
    if (body.currency !== channel.currency) return wrong(500, "INVALID_CURRENCY", "Currency not supported.");
    const amountMinor = parseAmount(body.amount ?? "", channel.currency);
    const phone = party?.partyId ?? "";
    const isWellFormed = amountMinor !== undefined && amountMinor > 0n && party?.partyIdType === "MSISDN";
    if (!isWellFormed || !/^[1-9]\d{8,14}$/.test(phone)) return { status: 400, body: { message: "Bad Request" } };
    const asked = {
      id: unusedId(),
      correlation,
      providerCorrelation: undefined,
      amountMinor,
      reference: body.externalId ?? "",
      phone,
      callbackUrl: request.headers["x-callback-url"],
    };
    if (product === "collection") world.requestPayment(asked);
    else world.disburse(asked);
    return { status: 202 };
  }

  function statusOf(product: Product, correlation: string): FaceReply {
    const row = world.find({ correlation });
    if (row === undefined || row.kind !== PRODUCTS[product].kind)
      return wrong(404, "RESOURCE_NOT_FOUND", "Requested resource was not found.");
    return { status: 200, body: bodyOf(row) };
  }

  function bodyOf(row: SimulatedTransaction): object {
    const amountMinor = row.status === "completed" ? row.amountMinor : row.requestedMinor;
    const party = { partyIdType: "MSISDN", partyId: row.phone };
    return {
      ...(row.status === "completed" ? { financialTransactionId: row.id } : {}),
      externalId: row.reference,
      amount: formatAmount(amountMinor, row.currency).replace(/^[A-Z]+ /, ""),
      currency: row.currency,
      ...(row.kind === "disbursement" ? { payee: party } : { payer: party }),
      payerMessage: `Payment ${row.reference}`,
      payeeNote: row.reference,
      status: row.status === "completed" ? "SUCCESSFUL" : row.status === "failed" ? "FAILED" : "PENDING",
      ...(row.status === "failed" ? { reason: reasonOf(row) } : {}),
    };
  }

  /** A plain code or an object, by market and version. */
  function reasonOf({ failure }: SimulatedTransaction): string | object {
    const [code, message] = REASONS[failure ?? "unreachable"];
    return world.chance() < 0.5 ? code : { code, message };
  }

  const send = (url: string, row: SimulatedTransaction): OutgoingDelivery => ({
    method: world.chance() < 0.5 ? "PUT" : "POST",
    url,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(bodyOf(row)),
    retriesMax: 0,
  });

  return {
    adapter: "mtn-momo",
    settings: () => ({
      baseUrl: world.baseUrl,
      targetEnvironment: TARGET_ENVIRONMENT,
      collection: keysOf("collection"),
      disbursement: keysOf("disbursement"),
    }),
    handle(request) {
      const product = (["collection", "disbursement"] as const).find((name) => request.path.startsWith(`/${name}/`));
      if (product === undefined) return { status: 404, body: { statusCode: 404, message: "No such API" } };
      if (request.headers["ocp-apim-subscription-key"] !== keysOf(product).subscriptionKey)
        return { status: 401, body: { statusCode: 401, message: "Access denied due to invalid subscription key." } };
      const { method } = request;
      const path = request.path.replace(/\/$/, "");
      if (method === "POST" && path === `/${product}/token`) return login(product, request);
      const away = turnAway(product, request);
      if (away !== undefined) return away;
      const own = PRODUCTS[product].path;
      if (method === "POST" && path === own) return take(product, request);
      if (method === "GET" && path.startsWith(`${own}/`)) return statusOf(product, path.slice(own.length + 1));
      return { status: 404, body: { statusCode: 404, message: "No such operation" } };
    },
    deliveries: (row) => (row.kind === "reversal" || row.callbackUrl === undefined ? [] : [send(row.callbackUrl, row)]),
    // Nothing is signed, so a forger needs an address of ours only: a real one that leaked, or one that was made up.
    forge: (row) =>
      send(
        row.correlation !== undefined && row.callbackUrl !== undefined
          ? row.callbackUrl
          : world.doorUrl("callback", inventedUuid(world.chance)),
        { ...row, status: "completed", failure: undefined },
      ),
    makeId,
    payersMayBegin: false,
    tellsAmounts: true,
  };
};

function wrong(status: number, code: string, message: string): FaceReply {
  return { status, body: { code, message } };
}

function inventedUuid(chance: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(chance() * 16).toString(16)).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

interface AskedBody {
  readonly amount?: string;
  readonly currency?: string;
  readonly externalId?: string;
  readonly payer?: { readonly partyIdType?: string; readonly partyId?: string };
  readonly payee?: { readonly partyIdType?: string; readonly partyId?: string };
}

function readBody(body: string): AskedBody {
  try {
    return JSON.parse(body) as AskedBody;
  } catch {
    return {};
  }
}
