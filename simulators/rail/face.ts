/** What a simulated provider is made of. The engine keeps time, truth and faults; a face speaks one provider's HTTP. */

/** One movement of money as the provider's own books hold it. This is the truth that our books are compared with. */
export interface SimulatedTransaction {
  /** The provider's transaction reference, in the provider's own form. Given when the transaction begins. */
  readonly id: string;
  readonly channel: string;
  readonly kind: "payment" | "reversal" | "disbursement" | "fee";
  /** Changed by the engine alone. `pending` until the payer decides. */
  status: "pending" | "completed" | "failed";
  /** Our program's name of its request (X-Reference-Id, depositId, order_id …); undefined for what a payer began. */
  readonly correlation: string | undefined;
  /** The provider's own name of that request (CheckoutRequestID, serverCorrelationId …). */
  readonly providerCorrelation: string | undefined;
  /** What was asked for; a payer may pay another amount where the rail tells amounts. */
  readonly requestedMinor: bigint;
  /** What moved. */
  amountMinor: bigint;
  readonly currency: string;
  /** The account as the payer typed it or the request named it. */
  readonly reference: string;
  /** Digits without plus. */
  readonly phone: string;
  readonly payerName: string;
  readonly beganAt: Date;
  /** The provider's event time, once it is over. */
  endedAt: Date | undefined;
  /** Of a reversal: the payment's id. */
  readonly original: string | undefined;
  /** Where our program asked to be told, when it said so in the request. */
  readonly callbackUrl: string | undefined;
  /** Why it failed: `cancelled`, `timed_out`, `unreachable`, `insufficient_funds`, `limit`, `unknown_party`. */
  failure: "cancelled" | "timed_out" | "unreachable" | "insufficient_funds" | "limit" | "unknown_party" | undefined;
  /** Anything the face wants to remember (pay_token, notif_token …). */
  readonly memory: Record<string, string>;
}

export interface SimulatedChannel {
  readonly name: string;
  readonly country: string;
  readonly currency: string;
  readonly zone: string;
}

/** One provider's books and clock, as a face may use them. Everything it does is recorded before it answers. */
export interface World {
  readonly channel: SimulatedChannel;
  /** Below this the face's requests come in: what the program is given as the provider's base URL. */
  readonly baseUrl: string;
  now(): Date;
  /** 0 to below 1, by the seed. */
  chance(): number;
  /** All of this channel, in the order they began. */
  readonly transactions: readonly SimulatedTransaction[];
  find(by: {
    id?: string | undefined;
    correlation?: string | undefined;
    providerCorrelation?: string | undefined;
  }): SimulatedTransaction | undefined;
  /** A request to pay was taken: the payer will be asked, and decides later. */
  requestPayment(asked: NewTransaction): SimulatedTransaction;
  /** Money goes out to a phone; it ends later. */
  disburse(asked: NewTransaction): SimulatedTransaction;
  /** A completed payment goes back, at once. Undefined when it went back already. */
  reverse(original: SimulatedTransaction, amountMinor?: bigint): SimulatedTransaction | undefined;
  /** Something the face wants delivered besides the transactions' own deliveries, such as the result of a query, after a delay. */
  deliver(delivery: OutgoingDelivery, afterMs: number): void;
  /** Where our program's doors are; the URL of a notification that is registered with the provider once and for all. */
  doorUrl(door: string, parameter?: string): string;
}

export interface NewTransaction {
  readonly id: string;
  readonly correlation: string | undefined;
  readonly providerCorrelation: string | undefined;
  readonly amountMinor: bigint;
  readonly reference: string;
  readonly phone: string;
  readonly callbackUrl: string | undefined;
  readonly original?: string | undefined;
  readonly memory?: Record<string, string>;
}

/** What our program asked of the provider. */
export interface FaceRequest {
  readonly method: string;
  /** Below the base URL, beginning with a slash, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface FaceReply {
  readonly status: number;
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the provider posts to our program. */
export interface OutgoingDelivery {
  readonly method: "POST" | "PUT";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Headers that carry the time of sending, such as a signature over it: made anew for each attempt, over this body.
   * Somebody who replays or alters what was sent has only what was sent.
   */
  readonly headersNow?: (() => Readonly<Record<string, string>>) | undefined;
  readonly body: string;
  /** A provider that tries again until it hears 2xx says how often; 0 where it says a thing once. */
  readonly retriesMax: number;
  /** It goes to an address that was made for one request and that nobody else has heard of: none can alter a copy of it. */
  readonly isPrivate?: boolean;
}

/** One provider's HTTP from the other side. Made with its world; holds nothing but what the world cannot keep. */
export interface Face {
  /** The program's name of the adapter that it answers to. */
  readonly adapter: string;
  /** The `settings` of this channel in the program's rails file, so that the program talks to this face. */
  settings(): Record<string, unknown>;
  /** Answers a request. Throws only for a bug of the simulator. */
  handle(request: FaceRequest): FaceReply;
  /** What goes out when the transaction is over (or changes, where the rail tells of that too), in order of sending. */
  deliveries(transaction: SimulatedTransaction): readonly OutgoingDelivery[];
  /** The same news from somebody who is not the provider: well-formed, and wrong where it is signed. */
  forge(transaction: SimulatedTransaction): OutgoingDelivery;
  /** A new transaction reference in the provider's own form. */
  makeId(): string;
  /** Whether a payer can pay without having been asked (paybill, till). */
  readonly payersMayBegin: boolean;
  /** Whether callbacks or enquiries tell the amount, so that another amount than the asked one can be seen. */
  readonly tellsAmounts: boolean;
  /** Whether the provider gives a file of a period's transactions, and that file. */
  statement?(period: { from: Date; to: Date }): { readonly fileName: string; readonly bytes: Uint8Array };
}

export type MakeFace = (world: World) => Face;
