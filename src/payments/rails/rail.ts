import type { Currency, Money } from "../../kernel/money.ts";
import type { Clock } from "../../kernel/time.ts";
import type { OutboundHttp } from "../../platform/outbound.ts";

/** Our account at a provider: which rail, in which country, paid in what. One company has many. */
export interface Channel {
  /** Names the rail in the books for ever: lower case letters, digits and dashes, such as `mtn-ug`. */
  readonly name: string;
  /** ISO 3166 alpha-2. */
  readonly country: string;
  readonly currency: Currency;
  /** The provider's wall clock, for times without offset. */
  readonly zone: string;
}

/** Who paid, as far as the rail tells. M-Pesa shows a clear number, a masked one or a hash, by version and shortcode. */
export interface Payer {
  /** E.164 with plus. */
  readonly phone: string | undefined;
  /** SHA-256 of the digits without plus; computed when the rail shows the number. */
  readonly hash: Uint8Array | undefined;
  readonly name: string | undefined;
}

/**
 * What a rail says about one transaction, in the words of the GSMA Mobile Money API 1.2. `billpay`: a customer paid an
 * account number; `merchantpay`: a customer paid without one (a till); `transfer`: an organisation paid, never a customer;
 * `reversal`: an earlier payment went back; `disbursement`: we paid out.
 */
export interface Report {
  readonly type: "billpay" | "merchantpay" | "transfer" | "reversal" | "disbursement";
  /** Anything that is not certainly over is `pending`. */
  readonly transactionStatus: "pending" | "completed" | "failed";
  /** The provider's name of the transaction, for ever. Upper case. A completed payment or disbursement has it. */
  readonly transactionReference: string | undefined;
  /** Our own name of a request, as we sent it, or the provider's name of it (M-Pesa's CheckoutRequestID). */
  readonly correlation: string | undefined;
  /** Of a reversal: which payment went back. */
  readonly originalTransactionReference: string | undefined;
  /** Absent where the rail does not tell (Airtel, Orange): then it is what the intent asked for. */
  readonly amount: Money | undefined;
  /** Our number that was paid (paybill, till, merchant), or what stands for it: it names the clearing account. */
  readonly creditParty: string;
  /** The account as the payer typed it or we asked for it, as it came; "" when there is none. */
  readonly reference: string;
  readonly payer: Payer;
  /** The provider's event time; absent where the rail does not tell. */
  readonly at: Date | undefined;
  /** Why it failed or waits, in the provider's code and words. */
  readonly statusReason: string | undefined;
}

/** Why a delivery could not be used; it is kept raw in quarantine under this reason. */
export type QuarantineReason =
  | "source_not_allowed"
  | "signature_invalid"
  | "signature_stale"
  | "malformed"
  | "wrong_type"
  | "amount_invalid"
  | "currency_unexpected"
  | "shortcode_unknown"
  | "time_invalid"
  | "status_unknown"
  | "intent_unknown"
  | "enquiry_disagrees"
  | "conflict";

export type Parsed =
  | { readonly ok: true; readonly reports: readonly Report[] }
  | {
      readonly ok: false;
      readonly reason: QuarantineReason;
      /** The field that has no readable value, when one field was the cause. */
      readonly field: string | undefined;
      /** A sentence for a person, without quoting personal data. */
      readonly detail: string;
      /** The provider's transaction reference, when that much was legible. */
      readonly providerId: string | undefined;
    };

/** One request that came to a door of ours. */
export interface Delivery {
  readonly door: string;
  /** What follows the door in the path: we put the name of a request there, so that nobody can guess the address. */
  readonly parameter: string | undefined;
  readonly method: string;
  /** As the provider called it, for signatures that cover the address. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly raw: Uint8Array;
  readonly receivedAt: Date;
}

/**
 * What stands behind a delivery. `signed`: a signature over these bytes. `secret`: a secret that only the provider was
 * given came with it. `unsigned`: nothing but the secret address.
 */
export type Verdict =
  | { readonly trust: "signed" | "secret" | "unsigned" }
  | { readonly trust: "refused"; readonly reason: QuarantineReason; readonly detail: string };

/** What became of a delivery; the adapter says it in the provider's own form. */
export type Outcome =
  | { readonly kind: "stored" | "repeated" | "conflict" | "busy" }
  /** Verified no, or from an address that may not call. */
  | { readonly kind: "not_allowed"; readonly detail: string }
  | {
      readonly kind: "unusable";
      readonly reason: QuarantineReason;
      readonly field: string | undefined;
      readonly detail: string;
    }
  /** Answer to a question door: may this be paid? */
  | { readonly kind: "payable" | "account_unknown" | "contract_ended" | "amount_too_small" | "currency_differs" };

export interface Answer {
  readonly status: number;
  readonly body?: object | string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface Door {
  readonly name: string;
  /** `notice` tells us something, which is stored; `question` asks before money moves, and nothing is stored. */
  readonly kind: "notice" | "question";
  readonly methods: readonly ("POST" | "PUT")[];
  /** `none`: the provider registers one address for good, so a longer one is unknown. */
  readonly parameter?: "none";
}

/** What a rail cannot do says so, in a sentence for operators. */
export interface Cannot {
  readonly cannot: string;
}
export type Able<Act> = Act | Cannot;
export const isAble = <Act extends object>(ability: Able<Act>): ability is Exclude<Act, Cannot> =>
  !("cannot" in ability);

/** "Ask this phone to pay this amount." */
export interface PaymentRequest {
  /** UUID version 4, ours, stored before anything is sent; the same on every attempt. */
  readonly correlation: string;
  /** E.164 with plus. */
  readonly phone: string;
  readonly amount: Money;
  /** The account number to credit, such as PG-10234. */
  readonly reference: string;
}

export type RequestOutcome =
  | {
      readonly kind: "accepted";
      /** The provider's own name of the request, when it gives one. */
      readonly providerCorrelation: string | undefined;
      /** Where the payer must go to pay (web checkouts); send it on. */
      readonly payAt: string | undefined;
      /** What must be remembered to recognise the callback or to enquire (Orange: notif_token, pay_token). */
      readonly memory: Readonly<Record<string, string>> | undefined;
    }
  /** The provider certainly did not act. `isDuplicate`: it knows this correlation already, so it had acted before. */
  | { readonly kind: "refused"; readonly reason: string; readonly isDuplicate: boolean }
  /** Not sent at all: nobody has seen it, so the same request may be sent later. */
  | { readonly kind: "not_sent"; readonly reason: string }
  /** Sent, and no answer came: they may have acted. Never ask again under another name. */
  | { readonly kind: "unknown"; readonly reason: string };

/** Whom an enquiry is about: a request of ours, or a transaction that an unsigned callback told of. */
export interface EnquirySubject {
  readonly kind: "payment" | "disbursement" | "transaction";
  readonly correlation: string;
  readonly providerCorrelation: string | undefined;
  readonly transactionReference: string | undefined;
  readonly amount: Money | undefined;
  readonly reference: string;
  readonly memory: Readonly<Record<string, string>>;
  readonly requestedAt: Date;
}

export type EnquiryOutcome =
  /** What the provider said, with its bytes. */
  | { readonly kind: "report"; readonly report: Report; readonly raw: Uint8Array }
  /** The provider does not know it. */
  | { readonly kind: "not_found"; readonly reason: string }
  /** The answer comes to a door of ours (M-Pesa transaction status). */
  | { readonly kind: "asked" }
  /** No answer, or none that can be read: ask later. */
  | { readonly kind: "unreachable"; readonly reason: string };

/** Money to give back. */
export interface RefundOrder {
  readonly correlation: string;
  /** E.164 with plus; undefined where the payer is masked: then only a reversal of the original can return it. */
  readonly phone: string | undefined;
  readonly amount: Money;
  /** The payment it gives back, when it gives back one. */
  readonly original: { readonly transactionReference: string; readonly amount: Money } | undefined;
  readonly reason: string;
}

export interface ListWindow {
  readonly from: Date;
  readonly to: Date;
  /** From the page before; undefined on the first. */
  readonly cursor: string | undefined;
}

export interface ListPage {
  readonly items: readonly { readonly report: Report; readonly raw: Uint8Array }[];
  /** Undefined on the last page. */
  readonly next: string | undefined;
  /** Entries that could not be read, with the reason; they become exceptions on the desk. */
  readonly unreadable: readonly { readonly detail: string; readonly raw: Uint8Array }[];
}

/** A provider's list of transactions. `reachMs`: how far back it tells; the sweep stays inside. */
export interface Listing {
  readonly reachMs: number;
  /** A window longer than this is asked for in pieces. */
  readonly windowMaxMs: number;
  /** Throws when the provider cannot be reached; the sweep goes on later from the page before. */
  page(window: ListWindow): Promise<ListPage>;
}

/** How an enquiry schedule fits the provider: nobody asks before `firstAfterMs`, nor hopes beyond `expiresAfterMs`. */
export interface EnquirySchedule {
  readonly firstAfterMs: number;
  /** Payers have so long to approve; after it, and one more enquiry, an intent that nobody knows is expired. */
  readonly expiresAfterMs: number;
}

/**
 * A way money reaches us. An adapter is all that knows a provider; nothing in it keeps state or touches the database.
 * What it cannot do it declares.
 */
export interface Rail {
  readonly channel: Channel;
  readonly doors: readonly Door[];
  /**
   * `evidence`: a callback carries all facts, so it is booked as it comes (unless the operator wants an enquiry first).
   * `hint`: it proves nothing or lacks facts, so an enquiry always decides.
   */
  readonly callbackIs: "evidence" | "hint";
  /** Whether the same request sent twice acts once, by the correlation. M-Pesa's prompt does not: it is sent once. */
  readonly isRequestRepeatable: boolean;
  /** The same of money that we pay out to a phone. A reversal of a payment is always sent once. */
  readonly isRefundRepeatable: boolean;
  readonly enquirySchedule: EnquirySchedule;
  /** Whether asking about a request names the payment that answered it. Of M-Pesa's prompts one hears only that they were paid. */
  readonly enquiryNamesPayment: boolean;
  /** The number that customers pay to by hand, from their phone's own menu; undefined where the rail knows none. */
  readonly payTo?: string;
  /** There is no default: every adapter says how it knows its caller. `memory` is what `requestPayment` asked to keep. */
  verify(delivery: Delivery, recall: Recall): Promise<Verdict>;
  /** Raw bytes to reports. Pure in the delivery. What cannot be read exactly comes back with a reason. */
  parse(delivery: Delivery): Parsed;
  answer(delivery: Delivery, outcome: Outcome): Answer;
  readonly requestPayment: Able<(request: PaymentRequest) => Promise<RequestOutcome>>;
  readonly enquire: Able<(subject: EnquirySubject) => Promise<EnquiryOutcome>>;
  readonly refund: Able<(order: RefundOrder) => Promise<RequestOutcome>>;
  readonly list: Able<Listing>;
}

/** Finds what was remembered for a request, by our correlation or by one remembered value; for `verify` alone. */
export type Recall = (by: {
  readonly correlation?: string;
  readonly remembered?: { readonly name: string; readonly value: string };
}) => Promise<{ readonly correlation: string; readonly memory: Readonly<Record<string, string>> } | undefined>;

/** What an adapter is given to work with. */
export interface RailTools {
  readonly channel: Channel;
  readonly http: OutboundHttp;
  readonly clock: Clock;
  /** Our public address of a door; the parameter becomes the last part of the path. */
  callbackUrl(door: string, parameter?: string): string;
}

/** A kind of rail, and what an operator must say to use it. Unknown settings are refused. */
export interface Adapter<Settings = unknown> {
  readonly name: string;
  /** One sentence for operators. */
  readonly title: string;
  /** Throws `InvalidSettings` with one line for each wrong or missing setting. */
  parseSettings(given: unknown): Settings;
  open(settings: Settings, tools: RailTools): Rail;
}

export class InvalidSettings extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.name = "InvalidSettings";
    this.problems = problems;
  }
}
