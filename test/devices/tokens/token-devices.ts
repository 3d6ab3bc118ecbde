/** Devices and orders that the token tests share. */
import fc from "fast-check";
import { issueToken, parseKey, prepareDevice } from "../../../src/devices/tokens/openpaygo.ts";
import type {
  DeviceParameters,
  IssuedToken,
  TokenChains,
  TokenDevice,
  TokenOrder,
} from "../../../src/devices/tokens/openpaygo.ts";

export const KEY_HEX = "7f3c19a2e4d05b8861fe0c9d2ab74e35";
export const STARTING_CODE = 271_828_182;
export const DAY_MS = 86_400_000;
export const NOW_AT = Date.UTC(2026, 0, 31, 18);

/**
 * Two counts share a token by chance once in a million pairs, which would make "accepted only once" false for that
 * pair. A fixed seed keeps the properties from meeting such a pair on somebody's machine one day.
 */
export const SEEDED = { seed: 20_260_131, numRuns: 60 };

export function keyOf(hex: string): Uint8Array {
  const parsed = parseKey(hex);
  if (!parsed.ok) throw new Error(parsed.refusal.message);
  return parsed.key;
}

export function deviceOf(parameters: Partial<DeviceParameters> = {}): TokenDevice {
  const prepared = prepareDevice({ key: keyOf(KEY_HEX), startingCode: STARTING_CODE, ...parameters });
  if (!prepared.ok) throw new Error(prepared.refusal.message);
  return prepared.device;
}

export function issued(device: TokenDevice, order: TokenOrder, chains?: TokenChains): IssuedToken {
  const answer = issueToken(device, order, chains);
  if (!answer.ok) throw new Error(answer.refusal.message);
  return answer;
}

export const anyDevice: fc.Arbitrary<TokenDevice> = fc
  .record({
    key: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    startingCode: fc.option(fc.integer({ min: 0, max: 999_999_999 }), { nil: undefined }),
    timeDivider: fc.integer({ min: 1, max: 255 }),
    restrictedDigits: fc.boolean(),
  })
  .map(deviceOf);

/** What to order next, without the count: a server fills that in. */
export type Wish =
  { readonly type: "ADD_TIME" | "SET_TIME"; readonly units: number } | { readonly type: "DISABLE_PAYG" };

export const anyWish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("ADD_TIME" as const), units: fc.nat(995) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("SET_TIME" as const), units: fc.nat(995) }) },
  { weight: 1, arbitrary: fc.constant({ type: "DISABLE_PAYG" as const }) },
);

/** Issues one token for each wish, in order, as a server that stores every count would. */
export function issueAll(device: TokenDevice, count: number, wishes: readonly Wish[]): readonly IssuedToken[] {
  const tokens: IssuedToken[] = [];
  let before = count;
  for (const wish of wishes) {
    const token = issued(device, { ...wish, count: before });
    before = token.count;
    tokens.push(token);
  }
  return tokens;
}
