import { z } from "zod";

/**
 * What travels between us and a device about a command: the JSON on `paygo/v1/{serial}/cmd` and the answer on
 * `paygo/v1/{serial}/ack`. The schemas below are the contract; docs/asyncapi.yaml is written from them.
 */

/** OpenPAYGO tokens as typed on a keypad: 9, 12, 15 or 20 digits, leading zeros included. */
const token = z.string().regex(/^\d{9,20}$/);
const seconds = z.int().min(0).max(4_102_444_800);

/** What fits a message of 2 KB; a payment that gives more goes by SMS alone. */
export const TOKENS_MAX = 40;
export const INTERVAL_SECONDS_MIN = 10;
export const INTERVAL_SECONDS_MAX = 7 * 86_400;
/** Of an image for a device's flash. */
const FIRMWARE_BYTES_MAX = 64 * 1_024 * 1_024;

/** The device counts so many days from now, whatever it had. `days` is for its screen; the token decides. */
const setDays = z.strictObject({
  kind: z.literal("set_days"),
  days: z.number().min(0),
  tokens: z.array(token).length(1),
});
/** Light off until the next token: a SET_TIME token of zero. */
const lock = z.strictObject({ kind: z.literal("lock"), tokens: z.array(token).length(1) });
/** Light for ever: a DISABLE_PAYG token. */
const unlock = z.strictObject({ kind: z.literal("unlock"), tokens: z.array(token).length(1) });
/** To be entered in this order, as if they were typed. */
const deliverTokens = z.strictObject({
  kind: z.literal("deliver_tokens"),
  tokens: z.array(token).min(1).max(TOKENS_MAX),
});
/** Send what is remembered of this span, in Unix seconds; left out: all that was not acknowledged yet. */
const fetchData = z.strictObject({
  kind: z.literal("fetch_data"),
  from: seconds.optional(),
  to: seconds.optional(),
});
/** Report this often from now on. */
const setInterval = z.strictObject({
  kind: z.literal("set_interval"),
  seconds: z.int().min(INTERVAL_SECONDS_MIN).max(INTERVAL_SECONDS_MAX),
});
/** Fetch this image, check its SHA-256, and install it when it suits the device. */
const offerFirmware = z.strictObject({
  kind: z.literal("offer_firmware"),
  version: z.string().min(1).max(40),
  url: z.url({ protocol: /^https$/ }).max(500),
  bytes: z.int().min(1).max(FIRMWARE_BYTES_MAX),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** What is asked of the device, by kind. What gives or takes light is a token, which the device checks by itself. */
export const commandBody = z.discriminatedUnion("kind", [
  setDays,
  lock,
  unlock,
  deliverTokens,
  fetchData,
  setInterval,
  offerFirmware,
]);

export type CommandBody = z.infer<typeof commandBody>;
export type CommandKind = CommandBody["kind"];

const envelope = {
  /** Stays the same however often the command is sent: a device that remembers it answers again and does nothing. */
  id: z.uuid(),
  /** Unix seconds. */
  issued: seconds,
  /** Unix seconds: from then on a device with a clock answers "refused" with the detail "expired". */
  expires: seconds,
};

/** The whole message on the `cmd` topic, QoS 1, not retained. */
export const commandMessage = z.discriminatedUnion("kind", [
  setDays.extend(envelope),
  lock.extend(envelope),
  unlock.extend(envelope),
  deliverTokens.extend(envelope),
  fetchData.extend(envelope),
  setInterval.extend(envelope),
  offerFirmware.extend(envelope),
]);

/** The whole message on the `ack` topic, QoS 1. */
export const commandAnswer = z.strictObject({
  id: z.uuid(),
  /** done: it is in force. refused: the device will not. failed: it tried and could not. */
  outcome: z.enum(["done", "refused", "failed"]),
  /** In few words, such as "expired" or "token already used". */
  detail: z.string().max(200).optional(),
});

export interface CommandMessageParts {
  readonly id: string;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly body: CommandBody;
}

const wholeSeconds = (at: Date): number => Math.floor(at.getTime() / 1_000);

/** The bytes for the `cmd` topic: compact JSON, the same bytes each time. */
export function writeCommandMessage({ id, issuedAt, expiresAt, body }: CommandMessageParts): Uint8Array {
  const { kind, ...rest } = body;
  const message = { id, kind, issued: wholeSeconds(issuedAt), expires: wholeSeconds(expiresAt), ...rest };
  return Buffer.from(JSON.stringify(message));
}
