import { createHmac } from "node:crypto";
import { getCountryCallingCode, type CountryCode } from "libphonenumber-js/max";
import { formatAmount, parseAmount } from "./currency.ts";
import type { FaceReply, FaceRequest, MakeFace, OutgoingDelivery, SimulatedTransaction } from "./face.ts";

const TOKEN_LIFE_MS = 180_000;
const PIN = "encrypted-pin-of-the-simulator";
const PAYMENTS = "/standard/v1/payments/";
const DISBURSEMENTS = "/standard/v1/disbursements/";

/**
 * Airtel's Collection and Disbursement API. Callbacks go to one address that is registered once; they carry neither
 * amount nor payer, are signed over one of two texts, and may come before it is over (TIP). A payment that went back
 * is told as TR, by callback and by enquiry.
 */
export const makeAirtelMoneyFace: MakeFace = (world) => {
  const { channel } = world;
  const callingCode = getCountryCallingCode(channel.country as CountryCode);
  const credentials = {
    clientId: `${channel.name}-client`,
    clientSecret: `${channel.name}-client-secret`,
    callbackKey: `${channel.name}-callback-key`,
  };
  const tokens = new Map<string, number>();
  let tokensMade = 0;

  /** Such as MP261120.1234.L06941: day, minute, and a number within it. */
  function makeId(): string {
    const [day = "", time = ""] = world.now().toISOString().split("T");
    const number = Math.floor(world.chance() * 100_000);
    return `MP${day.slice(2).replaceAll("-", "")}.${time.slice(0, 5).replace(":", "")}.L${String(number).padStart(5, "0")}`;
  }

  function unusedId(): string {
    let id = makeId();
    while (world.find({ id }) !== undefined) id = makeId();
    return id;
  }

  function login({ body }: FaceRequest): FaceReply {
    const { client_id, client_secret, grant_type } = readBody(body);
    const isRight = client_id === credentials.clientId && client_secret === credentials.clientSecret;
    if (!isRight || grant_type !== "client_credentials")
      return { status: 401, body: { error: "invalid_client", error_description: "Invalid client authentication" } };
    const now = world.now().getTime();
    for (const [token, endsAt] of tokens) if (endsAt <= now) tokens.delete(token);
    tokensMade += 1;
    const token = `${channel.name}-token-${tokensMade}`;
    tokens.set(token, now + TOKEN_LIFE_MS);
    return { status: 200, body: { token_type: "bearer", access_token: token, expires_in: "180" } };
  }

  /** What Airtel's gateway says before the product sees the request. */
  function turnAway({ headers }: FaceRequest): FaceReply | undefined {
    const endsAt = tokens.get((headers["authorization"] ?? "").replace(/^Bearer /, ""));
    if (endsAt === undefined || endsAt <= world.now().getTime())
      return { status: 401, body: { error: "invalid_token", error_description: "The access token expired" } };
    if (headers["x-country"] !== channel.country) return flatError("ROUTER006", "Invalid country code provided.");
    if (headers["x-currency"] !== channel.currency) return flatError("ROUTER112", "Invalid currency provided.");
    return undefined;
  }

  function take(kind: "payment" | "disbursement", request: FaceRequest): FaceReply {
    const body = readBody(request.body);
    const id = body.transaction?.id;
    const msisdn = kind === "payment" ? body.subscriber?.msisdn : body.payee?.msisdn;
    const amount = body.transaction?.amount;
    if (typeof id !== "string" || typeof msisdn !== "string" || typeof body.reference !== "string")
      return flatError("ROUTER003", "Missing header/body params.");
    if (kind === "disbursement" && body.pin !== PIN) return flatError("ROUTER116", "The encrypted pin is incorrect.");
    if (!/^[A-Za-z0-9]{4,64}$/.test(id) || !/^[A-Za-z0-9]{1,64}$/.test(body.reference))
      return answered({ result_code: "ESB000008", message: "Field validation" });
    if (!/^\d{7,10}$/.test(msisdn)) return answered({ result_code: "ESB000033", message: "Invalid MSISDN Length." });
    const amountMinor = typeof amount === "number" ? parseAmount(String(amount), channel.currency) : undefined;
    if (amountMinor === undefined || amountMinor <= 0n)
      return answered({ result_code: "ESB000008", message: "Field validation" });
    if (world.find({ correlation: id }) !== undefined)
      return answered({ result_code: "ESB000041", message: "External Transaction ID already exists." });
    const asked = {
      id: unusedId(),
      correlation: id,
      providerCorrelation: undefined,
      amountMinor,
      reference: body.reference,
      phone: `${callingCode}${msisdn}`,
      callbackUrl: undefined,
    };
    if (kind === "disbursement") {
      world.disburse(asked);
      return answered({ ...succeeded, response_code: "DP00900001006" }, { id, status: "TIP" });
    }
    world.requestPayment(asked);
    // "SUCCESS" and `success: true` beside the code for "in process", as Airtel itself has it.
    return answered({ ...succeeded, response_code: "DP00800001006" }, { id, status: "SUCCESS" });
  }

  function statusOf(kind: "payment" | "disbursement", id: string): FaceReply {
    const row = world.find({ correlation: id });
    if (row === undefined || row.kind !== kind)
      return answered({ result_code: "ESB000045", message: "No Transaction Found With Provided Transaction Id." });
    const letters = lettersOf(row);
    const isNamed = letters === "TS" || letters === "TR";
    return answered(succeeded, {
      id,
      message: messageOf(row),
      status: letters,
      ...(isNamed ? { airtel_money_id: row.id } : {}),
    });
  }

  function lettersOf(row: SimulatedTransaction): string {
    if (row.status === "pending") return world.chance() < 0.8 ? "TIP" : "TA";
    if (row.status === "failed") return row.failure === "timed_out" ? "TE" : "TF";
    return row.memory["wentBack"] === "yes" ? "TR" : "TS";
  }

  function callback(told: object, key = credentials.callbackKey): OutgoingDelivery {
    const inner = JSON.stringify(told);
    const outer = `{"transaction":${inner}}`;
    const hash = createHmac("sha256", key)
      .update(world.chance() < 0.5 ? outer : inner)
      .digest("base64");
    return {
      method: "POST",
      url: world.doorUrl("callback"),
      headers: { "content-type": "application/json" },
      body: `{"transaction":${inner},"hash":"${hash}"}`,
      // No repeat is documented.
      retriesMax: 0,
    };
  }

  function paymentNews(row: SimulatedTransaction): readonly OutgoingDelivery[] {
    const id = row.correlation;
    const last =
      row.status === "completed"
        ? { id, message: messageOf(row), status_code: "TS", airtel_money_id: row.id }
        : { id, message: messageOf(row), status_code: "TF" };
    const before = { id, message: "In progress", status_code: "TIP" };
    return world.chance() < 0.2 ? [callback(before), callback(last)] : [callback(last)];
  }

  function reversalNews(row: SimulatedTransaction): readonly OutgoingDelivery[] {
    const original = world.find({ id: row.original });
    if (original?.kind !== "payment") return [];
    const backMinor = world.transactions
      .filter(({ kind, original: of }) => kind === "reversal" && of === original.id)
      .reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
    // Airtel knows payments that went back in whole and no others.
    if (backMinor < original.amountMinor) return [];
    original.memory["wentBack"] = "yes";
    return [
      callback({
        id: original.correlation,
        message: "Transaction reversed",
        status_code: "TR",
        airtel_money_id: original.id,
      }),
    ];
  }

  return {
    adapter: "airtel-money",
    settings: () => ({ baseUrl: world.baseUrl, ...credentials, disbursementPin: PIN }),
    handle(request) {
      const { method } = request;
      const path = request.path.endsWith("/") ? request.path : `${request.path}/`;
      if (method === "POST" && path === "/auth/oauth2/token/") return login(request);
      const away = turnAway(request);
      if (away !== undefined) return away;
      if (method === "POST" && path === "/merchant/v1/payments/") return take("payment", request);
      if (method === "POST" && path === DISBURSEMENTS) return take("disbursement", request);
      if (method === "GET" && path.startsWith(PAYMENTS)) return statusOf("payment", path.slice(PAYMENTS.length, -1));
      if (method === "GET" && path.startsWith(DISBURSEMENTS))
        return statusOf("disbursement", path.slice(DISBURSEMENTS.length, -1));
      return { status: 404, body: "<html><body>404 Not Found</body></html>" };
    },
    deliveries(row) {
      if (row.kind === "reversal") return reversalNews(row);
      // A disbursement's answer and enquiry are all there is about it.
      return row.kind === "payment" ? paymentNews(row) : [];
    },
    forge: (row) =>
      callback(
        {
          id: row.correlation ?? inventedId(world.chance),
          message: messageOf({ ...row, status: "completed" }),
          status_code: "TS",
          airtel_money_id: row.id,
        },
        "a forger's key",
      ),
    makeId,
    payersMayBegin: false,
    tellsAmounts: false,
  };
};

const succeeded = { message: "SUCCESS", result_code: "ESB000010" } as const;

function answered(
  codes: { readonly message: string; readonly result_code: string; readonly response_code?: string },
  transaction?: object,
): FaceReply {
  const isGood = codes.result_code === "ESB000010";
  return {
    status: 200,
    body: {
      ...(transaction === undefined ? {} : { data: { transaction } }),
      status: { code: isGood ? "200" : "400", success: isGood, ...codes },
    },
  };
}

/** Errors of the gateway come without the envelope. */
function flatError(code: string, message: string): FaceReply {
  return { status: 400, body: { status_code: code, status_message: message } };
}

function messageOf(row: SimulatedTransaction): string {
  if (row.status === "pending") return "In progress";
  if (row.status === "failed") return "Transaction failed";
  return `Paid ${formatAmount(row.amountMinor, row.currency)} to TECHNOLOGIES LIMITED, Trans ID ${row.id}.`;
}

function inventedId(chance: () => number): string {
  return Array.from({ length: 32 }, () => Math.floor(chance() * 16).toString(16)).join("");
}

interface AskedBody {
  readonly client_id?: unknown;
  readonly client_secret?: unknown;
  readonly grant_type?: unknown;
  readonly reference?: unknown;
  readonly pin?: unknown;
  readonly subscriber?: { readonly msisdn?: unknown };
  readonly payee?: { readonly msisdn?: unknown };
  readonly transaction?: { readonly id?: unknown; readonly amount?: unknown };
}

function readBody(body: string): AskedBody {
  try {
    return JSON.parse(body) as AskedBody;
  } catch {
    return {};
  }
}
