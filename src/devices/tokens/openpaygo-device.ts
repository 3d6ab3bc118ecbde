/** What an OpenPAYGO device is made of: its key, starting code and settings, checked once and prepared for hashing. */
import { prepareSipKey, sipHash24, SIP_KEY_BYTES } from "./siphash.ts";
import type { SipKey } from "./siphash.ts";
import { reduceToStandard } from "./openpaygo-chain.ts";

/** The largest starting code; a starting code has at most nine digits. */
export const STARTING_CODE_MAX = 999_999_999;
/** The divider travels in one byte of the exchange file, hence 255: units per day a token value is counted in. */
export const TIME_DIVIDER_MAX = 255;
/**
 * Highest count this package issues or holds. A token at count n costs n hashes, so an unbounded count from outside
 * would be a way to stall the server; one token a day reaches this bound after 270 years.
 */
export const COUNT_MAX = 100_000;

export type TokenType = "ADD_TIME" | "SET_TIME" | "DISABLE_PAYG" | "COUNTER_SYNC";

/** Why a parameter or an order was refused. `code` is stable; `message` is for people and holds no secret. */
export type TokenRefusal = {
  readonly code:
    | "KEY_INVALID"
    | "STARTING_CODE_INVALID"
    | "TIME_DIVIDER_INVALID"
    | "TEST_CODE_INVALID"
    | "COUNT_OUT_OF_RANGE"
    | "VALUE_OUT_OF_RANGE"
    | "TYPE_NOT_EXTENDED"
    | "DAYS_NOT_EXACT";
  readonly message: string;
};

export type Refused = { readonly ok: false; readonly refusal: TokenRefusal };

/** What identifies a device to the token algorithm. The defaults are those of the standard. */
export type DeviceParameters = {
  /** The 16 raw bytes of the secret key; `parseKey` reads the usual 32 hexadecimal digits. */
  readonly key: Uint8Array;
  /** 0..999999999; derived from the key when left out. */
  readonly startingCode?: number | undefined;
  /** Units per day, 1..255; 1 means that token values are days. */
  readonly timeDivider?: number | undefined;
  /** The keypad has only the digits 1..4, so tokens are written with 15 (extended: 20) of them. */
  readonly restrictedDigits?: boolean | undefined;
  /** The batch's factory test code as printed. It is not a token, so no token may ever equal it. */
  readonly testCode?: string | undefined;
};

/** A checked device, ready to issue to or accept for. Holds key material: never log or serialise it. */
export type TokenDevice = {
  readonly sip: SipKey;
  readonly startingCode: number;
  readonly timeDivider: number;
  readonly restrictedDigits: boolean;
  readonly testCode: string | undefined;
  /** Distinguishes the chains of this device from those of any other: the key's bytes and the starting code. */
  readonly identity: string;
};

/** Reads a key written as 32 hexadecimal digits of either case. Anything else, spaces included, is refused. */
export function parseKey(hex: string): { readonly ok: true; readonly key: Uint8Array } | Refused {
  if (!/^[0-9a-fA-F]{32}$/.test(hex)) return refuse("KEY_INVALID", "A device key is 32 hexadecimal digits.");
  const key = new Uint8Array(SIP_KEY_BYTES);
  for (let at = 0; at < SIP_KEY_BYTES; at++) key[at] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  return { ok: true, key };
}

/**
 * The starting code of a device that was given none: the key hashed under itself and reduced to nine digits.
 * The 16 raw bytes are hashed; hashing the hexadecimal text instead, as one public port does, gives another code.
 * Throws RangeError for a key that is not 16 bytes.
 */
export function defaultStartingCode(key: Uint8Array): number {
  const hash = sipHash24(prepareSipKey(key), key);
  return reduceToStandard(hash.low, hash.high);
}

/** Checks a device's parameters and prepares them. Preparing costs less than two hashes; no need to keep the result. */
export function prepareDevice(
  parameters: DeviceParameters,
): { readonly ok: true; readonly device: TokenDevice } | Refused {
  const { key, timeDivider = 1, restrictedDigits = false, testCode } = parameters;
  if (!(key instanceof Uint8Array) || key.length !== SIP_KEY_BYTES) {
    return refuse("KEY_INVALID", "A device key is 16 raw bytes.");
  }
  const startingCode = parameters.startingCode ?? defaultStartingCode(key);
  if (!isWholeWithin(startingCode, 0, STARTING_CODE_MAX)) {
    return refuse("STARTING_CODE_INVALID", "A starting code is a whole number of at most nine digits.");
  }
  if (!isWholeWithin(timeDivider, 1, TIME_DIVIDER_MAX)) {
    return refuse("TIME_DIVIDER_INVALID", "A time divider is a whole number from 1 to 255.");
  }
  if (testCode !== undefined && !/^[0-9]+$/.test(testCode)) {
    return refuse("TEST_CODE_INVALID", "A test code consists of digits only.");
  }
  const identity = String.fromCharCode(...key) + startingCode;
  const sip = prepareSipKey(key);
  return { ok: true, device: { sip, startingCode, timeDivider, restrictedDigits, testCode, identity } };
}

export function refuse(code: TokenRefusal["code"], message: string): Refused {
  return { ok: false, refusal: { code, message } };
}

export function isWholeWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
