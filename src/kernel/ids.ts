import { randomFillSync } from "node:crypto";

declare const brand: unique symbol;
/** A string that is known to name one kind of thing, so that a customer cannot be unlocked by mistake. */
export type Id<Kind extends string> = string & { readonly [brand]: Kind };

export type CustomerId = Id<"Customer">;
export type DeviceId = Id<"Device">;
export type ContractId = Id<"Contract">;
export type PlanId = Id<"Plan">;
export type PlanVersionId = Id<"PlanVersion">;
export type ReceiptId = Id<"Receipt">;
export type TokenId = Id<"Token">;
export type MessageId = Id<"Message">;
export type StaffId = Id<"Staff">;
export type IntentId = Id<"Intent">;
export type PayoutId = Id<"Payout">;
export type TransactionId = Id<"Transaction">;

/** Makes a new id; asked for by name so that a test can give ids that it knows. */
export type MakeId = <Kind extends string>() => Id<Kind>;

const pool = new Uint8Array(16 * 256);
let poolOffset = pool.length;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * Makes UUIDs of version 7 (RFC 9562): the first 48 bits are the clock's milliseconds, so rows made together lie
 * together in an index; the rest is random. Two ids of the same millisecond have no order between them.
 */
export function makeIds(clock: { now(): Date }): MakeId {
  return <Kind extends string>() => {
    if (poolOffset === pool.length) {
      randomFillSync(pool);
      poolOffset = 0;
    }
    const bytes = pool.subarray(poolOffset, poolOffset + 16);
    poolOffset += 16;
    const millis = clock.now().getTime();
    let high = Math.floor(millis / 65536);
    for (let at = 3; at >= 0; at--) {
      bytes[at] = high & 0xff;
      high = Math.floor(high / 256);
    }
    bytes[4] = (millis >>> 8) & 0xff;
    bytes[5] = millis & 0xff;
    bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    let text = "";
    for (let at = 0; at < 16; at++) {
      if (at === 4 || at === 6 || at === 8 || at === 10) text += "-";
      text += HEX[bytes[at] ?? 0];
    }
    return text as Id<Kind>;
  };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text from outside could be one of our ids; PostgreSQL refuses anything else with a fault. */
export function looksLikeId(text: string): boolean {
  return UUID.test(text);
}
