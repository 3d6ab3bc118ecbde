/**
 * What a device tells, whatever protocol it speaks. An adapter turns raw bytes into a `DeviceFrame`; everything behind it
 * (ingest, state, alerts, history, battery health) knows only this.
 */

/**
 * The quantities that every reading may have, in the order of their columns. Volts, amperes, watts, degrees Celsius and
 * percent, as the device measured them (32-bit floats); energies are counters in whole watt-hours that only grow. A battery's
 * current is above zero while it is charged.
 */
export const QUANTITIES = [
  "panelVoltageV",
  "panelCurrentA",
  "panelPowerW",
  "batteryVoltageV",
  "batteryCurrentA",
  "batteryChargePercent",
  "batteryTemperatureC",
  "loadCurrentA",
  "loadPowerW",
  "ambientTemperatureC",
  "energyInWh",
  "energyOutWh",
  "signalDbm",
] as const;

export type Quantity = (typeof QUANTITIES)[number];

/** One moment of a device. A quantity that it does not tell is undefined; NaN and infinities never come this far. */
export type Reading = {
  /** Unix milliseconds by the device's clock. */
  readonly atMs: number;
  /** What no quantity holds (other variables, texts, flags), by the name the device gave it. */
  readonly extra: Readonly<Record<string, string | number | boolean>> | undefined;
} & { readonly [Name in Quantity]: number | undefined };

/** What a device says of itself now, besides what it measured. Undefined: it does not say. */
export interface Standing {
  /** Of the last token it accepted (OpenPAYGO's `token_count`). */
  readonly tokenCount: number | undefined;
  readonly tampered: boolean | undefined;
  readonly firmwareVersion: string | undefined;
  /** Until when it gives light, by its own counting, in Unix milliseconds; "forever" once unlocked for good. */
  readonly activeUntilMs: number | "forever" | undefined;
  readonly latitude: number | undefined;
  readonly longitude: number | undefined;
  /** How often it means to report, in seconds. */
  readonly intervalSeconds: number | undefined;
}

/** Something that happened at a device, such as "lid_opened". */
export interface DeviceEvent {
  readonly atMs: number;
  /** Lower case with underscores. */
  readonly kind: string;
  readonly detail: Readonly<Record<string, string | number | boolean>>;
}

/** What the device answers to a command of ours. */
export interface CommandAnswer {
  readonly commandId: string;
  readonly outcome: "done" | "refused" | "failed";
  readonly detail: string | undefined;
}

/** What the device asks to be told in the answer. */
export interface Wishes {
  readonly activeUntil: boolean;
  readonly activeSecondsLeft: boolean;
}

/** What proves that a frame is fresh: only what its signature covers. */
export interface Freshness {
  /** Unix seconds; undefined when not sent or not signed. */
  readonly requestTimestamp: number | undefined;
  readonly requestCount: number | undefined;
}

/** One frame of one device, read. A frame with accessories becomes several, each with its own serial. */
export interface DeviceFrame {
  readonly serial: string;
  /** Unix milliseconds of the device's clock when it sent the frame; undefined when it has none. */
  readonly sentAtMs: number | undefined;
  /** Oldest first, at most READINGS_MAX. */
  readonly readings: readonly Reading[];
  readonly standing: Standing | undefined;
  readonly events: readonly DeviceEvent[];
  readonly answers: readonly CommandAnswer[];
  /** "online" and "offline" by status frames and last wills. */
  readonly presence: "online" | "offline" | undefined;
  readonly wishes: Wishes;
  readonly freshness: Freshness;
  /** What the signature of our answer repeats; undefined for protocols that take no answer. */
  readonly answerTo?: AnswerTo;
}

/** The request as the device sent it, signed or not: an answer to it is signed over these. */
export interface AnswerTo {
  readonly requestTimestamp: number | undefined;
  readonly requestCount: number | undefined;
  readonly form: "simple" | "condensed";
}

/** More rows than any device's memory gives in one frame of the largest size. */
export const READINGS_MAX = 20_000;
/** OpenPAYGO Metrics allows 4,096 KB a request. */
export const FRAME_BYTES_MAX = 4_096 * 1_024;

/** Bytes as they came, and how. */
export interface RawFrame {
  readonly payload: Uint8Array;
  /** The topic after `paygo/v1/{serial}/` or a foreign topic as a whole; over HTTP the path of the door. */
  readonly topic: string;
  /** Who the connection belongs to, where it signed in as a device; a bridge or an HTTP caller is nobody. */
  readonly serial: string | undefined;
  readonly contentType: "json" | "cbor" | undefined;
  readonly receivedAtMs: number;
  /** How many bytes were sent, where the payload is only the head of a frame that is too large. */
  readonly sentBytes?: number | undefined;
}

/** Why a frame is set aside. `detail` tells an engineer what is wrong and what would be right. */
export interface FrameRefusal {
  readonly reason:
    | "too_large"
    | "not_readable"
    | "wrong_schema"
    | "unknown_device"
    | "foreign_serial"
    | "unknown_format"
    | "not_signed"
    | "signature_invalid"
    | "replayed"
    | "clock_off"
    | "too_many_rows"
    | "unknown_topic";
  readonly detail: string;
  readonly serial: string | undefined;
}

export type FrameOutcome =
  | {
      readonly ok: true;
      readonly frames: readonly DeviceFrame[];
      /** Parts that were refused while the rest holds: an accessory that is nobody's costs the lamp nothing. */
      readonly setAside?: readonly FrameRefusal[];
    }
  | { readonly ok: false; readonly refusal: FrameRefusal };

/** What an adapter may ask of the house while it reads: keys and data formats, both from memory. */
export interface FrameContext {
  /** SipHash-2-4 of the bytes under the device's key, as a bigint; undefined for a device that is not ours. */
  hash(serial: string, bytes: Uint8Array): bigint | undefined;
  /** A registered data format by its number. */
  dataFormat(id: number): unknown;
}

/** One vendor's or protocol's way of telling. Pure: bytes in, frames or a refusal out; it never throws. */
export interface FrameAdapter {
  readonly name: string;
  /** Whether frames of this topic are its own. */
  claims(topic: string): boolean;
  read(frame: RawFrame, context: FrameContext): FrameOutcome;
}
