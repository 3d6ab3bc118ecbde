import { createHash, createPrivateKey, createPublicKey, createSign, randomUUID, type KeyObject } from "node:crypto";
import { formatDecimal, parseAmount } from "./currency.ts";
import type { FaceReply, FaceRequest, MakeFace, OutgoingDelivery, SimulatedTransaction } from "./face.ts";

const API_TOKEN = "pawapay-simulated-token";
const KEY_ID = "HTTP_EC_P256_KEY:1";
const RETRIES_MAX = 4;
/** Made for this simulator alone, so that a rails file written yesterday still fits. It protects nothing. */
const OURS = testKey(
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6c7Sl1BTgdeJlNWC4sUDWCgXDaDpvsxDYt5drCNSAB6hRANCAAQDeN4dy2qSGsww7wgN2acDcSV3Gy5sn3wQdbK9u/KY6fLcQmtuDtfUdW8SUUKlcS2/ZFpKrV/FUd2RnHXPoif9",
);
/** Of somebody who is not pawaPay. */
const STRANGERS = testKey(
  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQpBeO3hJZHNTv35T7yXMPgikBYaG10KzwKKChctAslahRANCAARUtCtlcLfbg2PGXNxZ1f5MmvxFvhAn0LQ1ieLXROlLh7xvfmWuI58iwXrdyR4n9y9j5cY2gROKShgbB8Mr0tWg",
);
const EXPIRES_S = 300;
const ALPHA_3: Readonly<Record<string, string>> = {
  UG: "UGA",
  KE: "KEN",
  TZ: "TZA",
  RW: "RWA",
  ZM: "ZMB",
  MW: "MWI",
  GH: "GHA",
  CM: "CMR",
  SN: "SEN",
  CI: "CIV",
};
const FAILURES: Readonly<Record<NonNullable<SimulatedTransaction["failure"]>, string>> = {
  cancelled: "PAYMENT_NOT_APPROVED",
  timed_out: "PAYMENT_NOT_APPROVED",
  unreachable: "PAYER_NOT_FOUND",
  insufficient_funds: "PAYER_LIMIT_REACHED",
  limit: "PAYER_LIMIT_REACHED",
  unknown_party: "PAYER_NOT_FOUND",
};

const IDS = { deposits: "depositId", payouts: "payoutId", refunds: "refundId" } as const;
type Kind = keyof typeof IDS;
type Body = Readonly<Record<string, unknown>>;

/** pawaPay, version 1 of its API, with signed callbacks. */
export const makePawapayFace: MakeFace = (world) => {
  const { channel } = world;
  const { currency } = channel;
  const country = ALPHA_3[channel.country] ?? channel.country;
  const correspondent = `MTN_MOMO_${country}`;

  const kindOf = (transaction: SimulatedTransaction): Kind =>
    transaction.kind === "payment" ? "deposits" : transaction.memory["via"] === "refunds" ? "refunds" : "payouts";
  const decimal = (minor: bigint): string => formatDecimal(minor, currency);

  /** As status answers and callbacks show it. */
  function show(transaction: SimulatedTransaction): Body {
    const kind = kindOf(transaction);
    const isOver = transaction.status === "completed";
    const party = { type: "MSISDN", address: { value: transaction.phone } };
    const amounts =
      kind === "deposits"
        ? {
            requestedAmount: decimal(transaction.requestedMinor),
            ...(isOver ? { depositedAmount: decimal(transaction.amountMinor) } : {}),
          }
        : { amount: decimal(isOver ? transaction.amountMinor : transaction.requestedMinor) };
    return {
      [IDS[kind]]: transaction.correlation ?? transaction.id.toLowerCase(),
      status: { pending: "SUBMITTED", completed: "COMPLETED", failed: "FAILED" }[transaction.status],
      ...amounts,
      currency,
      country,
      correspondent,
      [kind === "deposits" ? "payer" : "recipient"]: party,
      statementDescription: "Washa",
      customerTimestamp: transaction.beganAt.toISOString(),
      created: transaction.beganAt.toISOString(),
      ...(transaction.endedAt === undefined ? {} : { respondedByPayer: transaction.endedAt.toISOString() }),
      correspondentIds: isOver ? { MTN_FINAL: transaction.id.slice(0, 8) } : {},
      ...(transaction.failure === undefined
        ? {}
        : { failureReason: { failureCode: FAILURES[transaction.failure], failureMessage: "It did not go through." } }),
      ...(transaction.reference === "" ? {} : { metadata: { account: transaction.reference } }),
    };
  }

  function callback(body: Body, key: KeyObject): OutgoingDelivery {
    const url = world.doorUrl("callback");
    const text = JSON.stringify(body);
    const headersNow = () => {
      const headers = {
        "content-type": "application/json; charset=UTF-8",
        "content-digest": `sha-512=:${createHash("sha512").update(text).digest("base64")}:`,
        "signature-date": world.now().toISOString(),
      };
      return { ...headers, ...sign({ url, headers, key }) };
    };
    return {
      method: "POST",
      url,
      // What is overheard and sent again carries the signature of that time.
      headers: headersNow(),
      headersNow,
      body: text,
      retriesMax: RETRIES_MAX,
    };
  }

  /** RFC 9421, written out, with DER signatures as in pawaPay's own examples. */
  function sign({ url, headers, key }: { url: string; headers: Readonly<Record<string, string>>; key: KeyObject }) {
    const { host, pathname } = new URL(url);
    const created = Math.floor(world.now().getTime() / 1_000);
    const covered = { "@method": "POST", "@authority": host.toLowerCase(), "@path": pathname, ...headers };
    const names = Object.keys(covered)
      .map((name) => `"${name}"`)
      .join(" ");
    const parameters = `alg="ecdsa-p256-sha256";keyid="${KEY_ID}";created=${created};expires=${created + EXPIRES_S}`;
    const base = [
      ...Object.entries(covered).map(([name, value]) => `"${name}": ${value}`),
      `"@signature-params": (${names});${parameters}`,
    ].join("\n");
    return {
      "signature-input": `sig-pp=(${names});${parameters}`,
      signature: `sig-pp=:${createSign("sha256").update(base).sign(key, "base64")}:`,
    };
  }

  const rejected = (kind: Kind, id: unknown, [rejectionCode, rejectionMessage]: [string, string]): FaceReply => ({
    status: 200,
    body: { [IDS[kind]]: id, status: "REJECTED", rejectionReason: { rejectionCode, rejectionMessage } },
  });

  function initiate(kind: Kind, body: Body): FaceReply {
    const id = body[IDS[kind]];
    if (typeof id !== "string" || !/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id))
      return { status: 400, body: { errorId: randomUUID(), errorCode: 2, errorMessage: `${IDS[kind]} is no UUIDv4` } };
    if (world.find({ correlation: id }) !== undefined)
      return { status: 200, body: { [IDS[kind]]: id, status: "DUPLICATE_IGNORED" } };
    const amountMinor = readMinor(body["amount"]);
    if (amountMinor === undefined) return rejected(kind, id, ["INVALID_AMOUNT", "The amount has a wrong form."]);
    const names = { id: id.toUpperCase(), correlation: id, providerCorrelation: undefined, callbackUrl: undefined };
    const taken: FaceReply = {
      status: 200,
      body: { [IDS[kind]]: id, status: "ACCEPTED", created: world.now().toISOString() },
    };
    if (kind === "refunds") {
      const deposit = world.find({ correlation: String(body["depositId"]) });
      if (deposit?.kind !== "payment" || deposit.status !== "completed")
        return rejected(kind, id, ["DEPOSIT_NOT_FOUND", "There is no such completed deposit."]);
      const gone = world.transactions
        .filter(({ original, status }) => original === deposit.id && status !== "failed")
        .reduce((sum, refund) => sum + refund.amountMinor, 0n);
      if (gone + amountMinor > deposit.amountMinor)
        return rejected(kind, id, ["AMOUNT_TOO_LARGE", "More than is left of the deposit."]);
      const { phone } = deposit;
      world.disburse({ ...names, amountMinor, reference: "", phone, original: deposit.id, memory: { via: kind } });
      return taken;
    }
    if (body["currency"] !== currency) return rejected(kind, id, ["INVALID_CURRENCY", "Not of this country."]);
    if (body["correspondent"] !== correspondent)
      return rejected(kind, id, ["INVALID_CORRESPONDENT", "Not a correspondent of this account."]);
    const phone = at(body, [kind === "deposits" ? "payer" : "recipient", "address", "value"]);
    if (typeof phone !== "string" || !/^[1-9]\d{8,14}$/.test(phone))
      return rejected(kind, id, ["INVALID_PAYER_FORMAT", "The number has a wrong form."]);
    const account = at(body, ["metadata", "0", "fieldValue"]);
    const reference = typeof account === "string" ? account : "";
    if (kind === "deposits") world.requestPayment({ ...names, amountMinor, reference, phone });
    else world.disburse({ ...names, amountMinor, reference, phone, memory: { via: kind } });
    return taken;
  }

  function readMinor(amount: unknown): bigint | undefined {
    if (typeof amount !== "string" || !/^(?:0|[1-9]\d*)(?:\.\d{1,2})?$/.test(amount)) return undefined;
    const minor = parseAmount(amount.replace(/\.0+$/, ""), currency) ?? 0n;
    return minor > 0n ? minor : undefined;
  }

  return {
    adapter: "pawapay",
    settings: () => ({
      baseUrl: world.baseUrl,
      apiToken: API_TOKEN,
      correspondent,
      publicKeys: { [KEY_ID]: createPublicKey(OURS).export({ type: "spki", format: "pem" }) },
      requireSignature: true,
    }),
    handle(request: FaceRequest): FaceReply {
      if (request.headers["authorization"] !== `Bearer ${API_TOKEN}`)
        return { status: 401, body: { errorId: randomUUID(), errorCode: 0, errorMessage: "Unauthorized" } };
      const [, kind, id] = /^\/(deposits|payouts|refunds)(?:\/([^/]+))?$/.exec(request.path) ?? [];
      if (!isKind(kind)) return { status: 404, body: { errorMessage: "There is nothing here." } };
      if (request.method === "GET" && id !== undefined) {
        const found = world.find({ correlation: id });
        return { status: 200, body: found === undefined || kindOf(found) !== kind ? [] : [show(found)] };
      }
      const body = readBody(request.body);
      if (request.method !== "POST" || id !== undefined || body === undefined)
        return { status: 400, body: { errorId: randomUUID(), errorCode: 1, errorMessage: "Cannot be read" } };
      return initiate(kind, body);
    },
    // Nothing tells of a reversal: money goes back by refunds and payouts, which are its own.
    deliveries: (transaction) =>
      transaction.status === "pending" || transaction.kind === "reversal" ? [] : [callback(show(transaction), OURS)],
    forge(transaction) {
      const lie = { ...transaction, status: "completed", failure: undefined } as const;
      const body = show({ ...lie, endedAt: transaction.endedAt ?? world.now() });
      // Signed with another key under pawaPay's name, or with a signature that belonged to another body.
      if (world.chance() < 0.5) return callback(body, STRANGERS);
      const signed = callback({ ...body, statementDescription: "Another" }, OURS);
      return { ...signed, body: JSON.stringify(body) };
    },
    makeId: () => {
      const digits = Array.from({ length: 32 }, () => Math.floor(world.chance() * 16).toString(16)).join("");
      const parts = [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `a${digits.slice(17, 20)}`];
      return [...parts, digits.slice(20)].join("-").toUpperCase();
    },
    payersMayBegin: false,
    tellsAmounts: true,
  };
};

function testKey(der: string): KeyObject {
  return createPrivateKey({ key: Buffer.from(der, "base64"), format: "der", type: "pkcs8" });
}

const isKind = (text: string | undefined): text is Kind => text !== undefined && Object.hasOwn(IDS, text);

function readBody(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (typeof inner === "object" && inner !== null ? (inner as Body)[name] : undefined),
    value,
  );
}
