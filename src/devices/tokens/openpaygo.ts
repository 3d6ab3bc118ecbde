/**
 * OpenPAYGO Token, both sides of it: issuing tokens on a server and accepting them on a device.
 *
 * Pure: no clock, no randomness, no input or output; instants and states are passed in and handed back. This folder
 * imports nothing outside itself.
 */
export {
  COUNT_MAX,
  STARTING_CODE_MAX,
  TIME_DIVIDER_MAX,
  defaultStartingCode,
  parseKey,
  prepareDevice,
} from "./openpaygo-device.ts";
export type { DeviceParameters, Refused, TokenDevice, TokenRefusal, TokenType } from "./openpaygo-device.ts";
export { makeTokenChains } from "./openpaygo-chain.ts";
export type { TokenChains, TokenForm } from "./openpaygo-chain.ts";
export { parseRestrictedDigits, parseTypedToken, toRestrictedDigits, RESTRICTED_DIGITS } from "./openpaygo-digits.ts";
export type { TypedToken } from "./openpaygo-digits.ts";
export {
  COUNTER_SYNC_VALUE,
  DISABLE_VALUE,
  VALUE_MAX,
  issueToken,
  nextCount,
  unitsFromDays,
} from "./openpaygo-issue.ts";
export type { ExactDays, IssuedToken, TokenOrder } from "./openpaygo-issue.ts";
export {
  JUMP_MAX,
  OLDER_WINDOW,
  SYNC_BELOW,
  SYNC_JUMP_MAX,
  acceptToken,
  isUnlocked,
  newDeviceState,
  remainingMs,
} from "./openpaygo-accept.ts";
export type { DeviceState, TokenDecision } from "./openpaygo-accept.ts";
export { LOCKOUT_POLICIES, NO_LOCKOUT, isLockedOut, lockoutAfter, lockoutMinutes } from "./openpaygo-lockout.ts";
export type { LockoutDecision, LockoutPolicy, LockoutState } from "./openpaygo-lockout.ts";
