import { formatDecimal, type Money } from "../../../kernel/money.ts";
import type { OutboundRequest, OutboundResponse } from "../../../platform/outbound.ts";
import { askOnce, enquireOnce } from "../calls.client.ts";
import { accepted, refused, told, unreachable } from "../outcomes.ts";
import type { EnquiryOutcome, PaymentRequest, RailTools, RefundOrder, RequestOutcome } from "../rail.ts";
import { findJson, isObject, textAt } from "../reading.ts";
import { KINDS, readPayment, readReason, type Kind } from "./payment.ts";
import { findCorrespondent, type PawapaySettings } from "./settings.ts";

export interface PawapayClient {
  deposit(request: PaymentRequest): Promise<RequestOutcome>;
  /** To a number. */
  payOut(order: RefundOrder & { readonly phone: string }): Promise<RequestOutcome>;
  /** Back to whoever paid, whose number we need not know. */
  refundDeposit(
    order: RefundOrder & { readonly original: NonNullable<RefundOrder["original"]> },
  ): Promise<RequestOutcome>;
  find(kind: Kind, id: string): Promise<EnquiryOutcome>;
}

/** What pawaPay took, or had taken before under this id. */
const TAKEN = new Set(["ACCEPTED", "ENQUEUED", "DUPLICATE_IGNORED"]);

/** Every request carries our UUID as its id, and pawaPay ignores a second one of the same id: all are safe to repeat. */
export function makePawapayClient(settings: PawapaySettings, { http, clock, channel }: RailTools): PawapayClient {
  const root = settings.version === "v2" ? `${settings.baseUrl}/v2` : settings.baseUrl;
  const isFirst = settings.version === "v1";

  const send = (request: Pick<OutboundRequest, "method" | "url" | "body">): Promise<OutboundResponse> =>
    http.send({
      ...request,
      headers: {
        authorization: `Bearer ${settings.apiToken}`,
        ...(request.body === undefined ? {} : { "content-type": "application/json; charset=UTF-8" }),
      },
      repeat: "safe",
    });

  const ask = async (kind: Kind, body: object): Promise<RequestOutcome> =>
    askOnce(async () =>
      readTaken(await send({ method: "POST", url: `${root}/${kind}`, body: JSON.stringify(body) }), { via: kind }),
    );

  /** Operators without decimals refuse "50.00", and all take "50". */
  const amountOf = (amount: Money) => ({
    amount: formatDecimal(amount).replace(/\.0+$/, ""),
    currency: amount.currency,
  });

  /** Who pays or is paid. Undefined where we have no operator for the number. */
  function partyOf(role: "payer" | "recipient", phone: string): object | undefined {
    const correspondent = findCorrespondent(phone, settings.correspondents);
    const digits = phone.replace(/^\+/, "");
    if (correspondent === undefined) return undefined;
    return isFirst
      ? { correspondent, [role]: { type: "MSISDN", address: { value: digits } } }
      : { [role]: { type: "MMO", accountDetails: { phoneNumber: digits, provider: correspondent } } };
  }

  /** 4 to 22 letters, digits and spaces, shown to the customer. */
  function narrate(text: string): object {
    const words = text
      .replace(/[^A-Za-z0-9]+/g, " ")
      .trim()
      .slice(0, 22)
      .trim();
    const message = words.length < 4 ? `Account ${words}`.trim() : words;
    return isFirst
      ? { statementDescription: message, customerTimestamp: clock.now().toISOString() }
      : { customerMessage: message };
  }

  /** Comes back in the callback: the only place of a deposit for our account number as it is. */
  const remember = (account: string): object =>
    account === "" ? {} : { metadata: isFirst ? [{ fieldName: "account", fieldValue: account }] : [{ account }] };

  const NO_CORRESPONDENT = refused("No correspondent is configured for this number.");

  return {
    async deposit({ correlation, phone, amount, reference }) {
      const party = partyOf("payer", phone);
      if (party === undefined) return NO_CORRESPONDENT;
      const id = { depositId: correlation };
      return ask("deposits", { ...id, ...amountOf(amount), ...party, ...narrate(reference), ...remember(reference) });
    },
    async payOut({ correlation, phone, amount }) {
      const party = partyOf("recipient", phone);
      if (party === undefined) return NO_CORRESPONDENT;
      return ask("payouts", { payoutId: correlation, ...amountOf(amount), ...party, ...narrate("Refund") });
    },
    async refundDeposit({ correlation, amount, original }) {
      const { amount: decimal, currency } = amountOf(amount);
      // Ids are ours, and ours are lower case; the books keep references in upper case.
      const names = { refundId: correlation, depositId: original.transactionReference.toLowerCase() };
      return ask("refunds", { ...names, amount: decimal, ...(isFirst ? {} : { currency }) });
    },
    find: async (kind, id) =>
      enquireOnce(async () =>
        readFound(await send({ method: "GET", url: `${root}/${kind}/${encodeURIComponent(id)}` }), { kind, id }),
      ),
  };

  /** Version 1 answers a list of at most one; version 2 says FOUND with `data`, or NOT_FOUND. */
  function readFound(response: OutboundResponse, { kind, id }: { kind: Kind; id: string }): EnquiryOutcome {
    const body = findJson(response.raw);
    if (response.status === 404) return { kind: "not_found", reason: readReason(body) ?? "HTTP 404" };
    if (response.status !== 200) return unreachable(`HTTP ${response.status}`);
    if ((Array.isArray(body) && body.length === 0) || textAt(body, ["status"]) === "NOT_FOUND")
      return { kind: "not_found", reason: `pawaPay has no such entry in ${kind}.` };
    const found: unknown = Array.isArray(body)
      ? body[0]
      : isObject(body) && isObject(body["data"])
        ? body["data"]
        : body;
    if (textAt(found, [KINDS[kind]])?.toLowerCase() !== id.toLowerCase())
      return unreachable("The answer is about another payment, or about none.");
    return told(readPayment(found, { channel, now: clock.now() }), response.raw);
  }
}

function readTaken(response: OutboundResponse, memory: { via: Kind }): RequestOutcome {
  const body = findJson(response.raw);
  const word = textAt(body, ["status"]);
  const reason = readReason(body) ?? `HTTP ${String(response.status)}`;
  if (response.status === 429) return { kind: "not_sent", reason };
  if (word === "REJECTED" && response.status < 500) return refused(reason);
  if (response.status >= 400 && response.status < 500 && response.status !== 408) return refused(reason);
  if (response.status < 300 && word !== undefined && TAKEN.has(word)) return accepted({ memory });
  return { kind: "unknown", reason };
}
