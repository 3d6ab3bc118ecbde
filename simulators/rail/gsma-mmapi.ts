import { createHash } from "node:crypto";
import { Temporal } from "temporal-polyfill";
import { formatDecimal, parseAmount } from "./currency.ts";
import type { FaceReply, FaceRequest, MakeFace, OutgoingDelivery, SimulatedTransaction } from "./face.ts";

const API_KEY = "gsma-simulated-api-key";
const CALLBACK_KEY = "gsma-simulated-callback-key";
const ACCOUNT = { key: "accountid", value: "2999" };
const RETRIES_MAX = 3;
const PAGE_ITEMS_MAX = 50;
const UUID = /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;

type Body = Readonly<Record<string, unknown>>;
type Failure = NonNullable<SimulatedTransaction["failure"]>;

const FAILURES: Readonly<Record<Failure, readonly [category: string, code: string]>> = {
  cancelled: ["authorisation", "requestDeclined"],
  timed_out: ["authorisation", "requestingPartyAuthorisationError"],
  unreachable: ["serviceUnavailable", "genericError"],
  insufficient_funds: ["businessRule", "insufficientFunds"],
  limit: ["businessRule", "dailyValueLimitExceeded"],
  unknown_party: ["identification", "identifierError"],
};

/** A provider of the GSMA Mobile Money API 1.2, asynchronous, with callbacks under a key of their own. */
export const makeGsmaMmapiFace: MakeFace = (world) => {
  const { channel } = world;
  const { currency } = channel;
  /** Whose request the reversal is that is just being made; `world.reverse` tells of it before it returns. */
  let reversing: Record<string, string> = {};

  const hexDigits = (count: number): string =>
    Array.from({ length: count }, () => Math.floor(world.chance() * 16).toString(16)).join("");
  const makeUuid = (): string =>
    [hexDigits(8), hexDigits(4), `4${hexDigits(3)}`, `a${hexDigits(3)}`, hexDigits(12)].join("-");
  const makeId = (): string =>
    `REF-${Array.from({ length: 13 }, () => String(Math.floor(world.chance() * 10))).join("")}`;

  /** Always with two decimals, also where the currency has none; on the wall clock, without an offset. */
  const decimal = (minor: bigint): string => {
    const text = formatDecimal(minor, currency);
    return text.includes(".") ? text : `${text}.00`;
  };
  const wallTime = (at: Date): string =>
    Temporal.Instant.fromEpochMilliseconds(at.getTime())
      .toZonedDateTimeISO(channel.zone)
      .toPlainDateTime()
      .toString({ smallestUnit: "second" });

  function show(transaction: SimulatedTransaction): Body {
    const customer = [{ key: "msisdn", value: `+${transaction.phone}` }];
    const isIncoming = transaction.kind === "payment";
    return {
      transactionReference: transaction.id,
      transactionStatus: transaction.status,
      amount: decimal(transaction.status === "completed" ? transaction.amountMinor : transaction.requestedMinor),
      currency,
      type: isIncoming ? "merchantpay" : transaction.kind,
      debitParty: isIncoming ? customer : [ACCOUNT],
      creditParty: isIncoming ? [ACCOUNT] : customer,
      ...(transaction.kind === "reversal" ? { originalTransactionReference: transaction.original } : {}),
      ...(transaction.reference === "" || !isIncoming
        ? {}
        : { requestingOrganisationTransactionReference: transaction.reference }),
      creationDate: wallTime(transaction.endedAt ?? transaction.beganAt),
    };
  }

  const failureOf = (failure: Failure, at: Date): Body => {
    const [errorCategory, errorCode] = FAILURES[failure];
    return { errorCategory, errorCode, errorDescription: "It did not go through.", errorDateTime: at.toISOString() };
  };

  function put(
    url: string,
    { body, key, correlation }: { body: Body; key: string; correlation: string },
  ): OutgoingDelivery {
    const text = JSON.stringify(body);
    return {
      method: "PUT",
      url,
      headers: {
        "content-type": "application/json",
        "x-date": world.now().toISOString(),
        "x-correlationid": correlation,
        "x-api-key": key,
        "x-content-hash": sha256(text),
      },
      body: text,
      retriesMax: RETRIES_MAX,
    };
  }

  const byName = (name: "correlation" | "providerCorrelation", value: string): SimulatedTransaction | undefined =>
    world.find({ [name]: value }) ?? world.transactions.find(({ memory }) => memory[name] === value);

  const accepted = (serverCorrelationId: string): FaceReply => ({
    status: 202,
    body: { serverCorrelationId, status: "pending", notificationMethod: "callback", pollLimit: 100 },
  });

  function create({ path, headers, body: text }: FaceRequest): FaceReply {
    const correlation = headers["x-correlationid"]?.toLowerCase();
    const body = readBody(text);
    if (body === undefined) return refusal(400, ["validation", "formatError"], "The body cannot be read.");
    if (correlation === undefined || !UUID.test(correlation))
      return refusal(400, ["validation", "mandatoryValueNotSupplied"], "X-CorrelationID is missing.");
    if (headers["x-content-hash"] !== undefined && headers["x-content-hash"] !== sha256(text))
      return refusal(400, ["validation", "formatError"], "X-Content-Hash is not of this body.");
    if (byName("correlation", correlation) !== undefined)
      return refusal(400, ["businessRule", "duplicateRequest"], "This X-CorrelationID was used before.");
    const callbackUrl = headers["x-callback-url"];
    const reversed = /^\/transactions\/([^/]+)\/reversals$/.exec(path)?.[1];
    if (reversed !== undefined)
      return reverse(decodeURIComponent(reversed), { body, names: { correlation, callbackUrl: callbackUrl ?? "" } });
    const amountMinor = readMinor(body);
    if (amountMinor === undefined) return refusal(400, ["validation", "formatError"], "amount or currency is wrong.");
    const isPayout = path === "/transactions/type/disbursement";
    if (!isPayout && path !== "/transactions/type/merchantpay")
      return refusal(400, ["businessRule", "transactionTypeError"], "Not offered here.");
    const phone = /^\+?([1-9]\d{8,14})$/.exec(
      partyOf(body, isPayout ? "creditParty" : "debitParty", "msisdn") ?? "",
    )?.[1];
    if (phone === undefined || partyOf(body, isPayout ? "debitParty" : "creditParty", ACCOUNT.key) !== ACCOUNT.value)
      return refusal(404, ["identification", "identifierError"], "A party is not known.");
    const serverCorrelationId = makeUuid();
    const given = body["requestingOrganisationTransactionReference"];
    const reference = typeof given === "string" ? given : "";
    const names = { id: makeId(), correlation, providerCorrelation: serverCorrelationId, callbackUrl };
    (isPayout ? world.disburse : world.requestPayment)({ ...names, amountMinor, reference, phone });
    return accepted(serverCorrelationId);
  }

  function reverse(id: string, { body, names }: { body: Body; names: Record<string, string> }): FaceReply {
    const original = world.find({ id });
    if (original === undefined)
      return refusal(404, ["identification", "identifierError"], "There is no such transaction.");
    const amountMinor = "amount" in body ? readMinor(body) : original.amountMinor;
    if (amountMinor === undefined) return refusal(400, ["validation", "formatError"], "amount or currency is wrong.");
    const serverCorrelationId = makeUuid();
    reversing = { ...names, providerCorrelation: serverCorrelationId };
    const reversal = world.reverse(original, amountMinor);
    reversing = {};
    if (reversal === undefined)
      return refusal(400, ["businessRule", "incorrectState"], "It cannot go back (any more).");
    return accepted(serverCorrelationId);
  }

  function readMinor({ amount, currency: given }: Body): bigint | undefined {
    if (typeof amount !== "string" || given !== currency) return undefined;
    const minor = parseAmount(amount.replace(/\.0+$/, ""), currency) ?? 0n;
    return minor > 0n ? minor : undefined;
  }

  function look({ path, query }: FaceRequest): FaceReply {
    const missing = refusal(404, ["identification", "identifierError"], "There is nothing of this name.");
    const [, kind, encoded = ""] = /^\/(transactions|requeststates|responses)\/([^/]+)$/.exec(path) ?? [];
    const name = decodeURIComponent(encoded);
    if (kind === "transactions") {
      const found = world.find({ id: name });
      return found === undefined ? missing : { status: 200, body: show(found) };
    }
    if (kind === "responses") {
      const found = byName("correlation", name);
      return found === undefined ? missing : { status: 200, body: { link: `/transactions/${found.id}` } };
    }
    if (kind === "requeststates") {
      const found = byName("providerCorrelation", name);
      if (found === undefined) return missing;
      const { status, failure, endedAt = found.beganAt, id } = found;
      const error = failure === undefined ? {} : { error: failureOf(failure, endedAt) };
      const end = status === "pending" ? {} : status === "completed" ? { objectReference: id } : error;
      return { status: 200, body: { serverCorrelationId: name, status, notificationMethod: "callback", ...end } };
    }
    if (path === `/accounts/${ACCOUNT.key}/${ACCOUNT.value}/transactions`) return list(query);
    return missing;
  }

  function list(query: URLSearchParams): FaceReply {
    const from = Date.parse(query.get("fromDateTime") ?? "1970-01-01");
    const to = Date.parse(query.get("toDateTime") ?? "9999-01-01");
    const offset = Number(query.get("offset") ?? "0");
    const limit = Math.min(Number(query.get("limit") ?? PAGE_ITEMS_MAX), PAGE_ITEMS_MAX);
    const inside = world.transactions.filter(({ endedAt, status, kind }) => {
      const at = endedAt?.getTime() ?? Number.NaN;
      return status === "completed" && kind !== "fee" && at >= from && at < to;
    });
    const page = inside.slice(offset, offset + limit).map(show);
    const counts = { available: inside.length, returned: page.length };
    return {
      status: 200,
      body: page,
      headers: {
        "x-records-available-count": String(counts.available),
        "x-records-returned-count": String(counts.returned),
      },
    };
  }

  return {
    adapter: "gsma-mmapi",
    settings: () => ({ baseUrl: world.baseUrl, apiKey: API_KEY, account: ACCOUNT, callbackKey: CALLBACK_KEY }),
    handle(request) {
      if (request.headers["x-api-key"] !== API_KEY)
        return refusal(401, ["authorisation", "clientAuthorisationError"], "X-API-Key is wrong.");
      return request.method === "POST" ? create(request) : look(request);
    },
    deliveries(transaction) {
      if (transaction.kind === "reversal") Object.assign(transaction.memory, reversing);
      const { memory, status, failure, endedAt = transaction.beganAt } = transaction;
      const url = memory["callbackUrl"] ?? transaction.callbackUrl ?? "";
      if (status === "pending" || url === "") return [];
      const correlation = memory["correlation"] ?? transaction.correlation ?? makeUuid();
      const body = failure === undefined ? show(transaction) : failureOf(failure, endedAt);
      return [put(url, { body, key: CALLBACK_KEY, correlation })];
    },
    /** Whoever knows the address, but not the key: a wrong one, or none. */
    forge(transaction) {
      const lie = { ...transaction, status: "completed", failure: undefined } as const;
      const correlation = transaction.correlation ?? makeUuid();
      const url = transaction.callbackUrl ?? world.doorUrl("callback", correlation);
      const key = world.chance() < 0.5 ? "" : "guessed-callback-key";
      return put(url, { body: show({ ...lie, endedAt: transaction.endedAt ?? world.now() }), key, correlation });
    },
    makeId,
    payersMayBegin: false,
    tellsAmounts: true,
  };
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function refusal(
  status: number,
  [errorCategory, errorCode]: readonly [string, string],
  errorDescription: string,
): FaceReply {
  return { status, body: { errorCategory, errorCode, errorDescription } };
}

function readBody(text: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function partyOf(body: Body, field: string, key: string): string | undefined {
  const list = body[field];
  const entries = Array.isArray(list) ? (list as readonly Body[]) : [];
  const value = entries.find((entry) => entry["key"] === key)?.["value"];
  return typeof value === "string" ? value : undefined;
}
