/**
 * How far a message is known to have come. `waiting` is with us; `refused` was never taken by the gateway. What lies
 * between is the gateway's own path, whose reports arrive late, twice, out of order or not at all.
 */
export type DeliveryState =
  "waiting" | "queued" | "sent" | "submitted" | "buffered" | "delivered" | "read" | "failed" | "rejected" | "refused";

const FINAL_RANK = 5;
/** Only chats tell it, and only of what was delivered. */
const READ_RANK = 6;
const RANKS: Readonly<Record<DeliveryState, number>> = {
  waiting: 0,
  queued: 1,
  sent: 2,
  submitted: 3,
  buffered: 4,
  delivered: FINAL_RANK,
  read: READ_RANK,
  failed: FINAL_RANK,
  rejected: FINAL_RANK,
  refused: FINAL_RANK,
};

/** The gateway's words, as its delivery reports write them. */
const STATE_OF_STATUS: Readonly<Record<string, DeliveryState>> = {
  queued: "queued",
  sent: "sent",
  submitted: "submitted",
  buffered: "buffered",
  success: "delivered",
  delivered: "delivered",
  read: "read",
  failed: "failed",
  rejected: "rejected",
};

/** What the gateway told us about one message. */
export interface DeliveryReport {
  readonly providerId: string;
  /** In the gateway's own words; one we do not know is kept and moves nothing. */
  readonly status: string;
  readonly phone?: string;
  readonly networkCode?: string;
  readonly failure?: string;
}

export function isFinal(state: DeliveryState): boolean {
  return RANKS[state] >= FINAL_RANK;
}

/** Whether it is known that it did not arrive and will not. */
export function isLost(state: DeliveryState): boolean {
  return isFinal(state) && state !== "delivered" && state !== "read";
}

/**
 * Where a report leaves a message: only ever forward, and a final state stays whatever comes after it, except that what was
 * delivered may be read.
 */
export function advance(current: DeliveryState, status: string): DeliveryState {
  if (isLost(current)) return current;
  const reported = STATE_OF_STATUS[status.toLowerCase()];
  return reported !== undefined && RANKS[reported] > RANKS[current] ? reported : current;
}

const FIELD_LENGTH_MAX = 200;

/** Reads the form fields of a delivery report; undefined where they are none. Unknown fields are let go. */
export function parseDeliveryReport(fields: unknown): DeliveryReport | undefined {
  if (typeof fields !== "object" || fields === null) return undefined;
  const read = (name: string): string | undefined => {
    const value: unknown = Object.hasOwn(fields, name) ? Reflect.get(fields, name) : undefined;
    return typeof value === "string" && value !== "" && value.length <= FIELD_LENGTH_MAX && !value.includes("\0")
      ? value
      : undefined;
  };
  const [providerId, status, phone] = [read("id"), read("status"), read("phoneNumber")];
  if (providerId === undefined || status === undefined) return undefined;
  const [networkCode, failure] = [read("networkCode"), read("failureReason")];
  return {
    providerId,
    status,
    ...(phone === undefined ? {} : { phone }),
    ...(networkCode === undefined ? {} : { networkCode }),
    ...(failure === undefined ? {} : { failure }),
  };
}
