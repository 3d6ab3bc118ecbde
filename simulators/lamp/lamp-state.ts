/** Reads a lamp's snapshot back from JSON: a file can be edited, cut short, or belong to another program. */
import { COUNT_MAX, LOCKOUT_POLICIES, SYNC_JUMP_MAX } from "../../src/devices/tokens/openpaygo.ts";
import type { DeviceState, LockoutState } from "../../src/devices/tokens/openpaygo.ts";
import type { LampEvent, LampSettings, LampSnapshot } from "./lamp.ts";

type Fields = { readonly [field: string]: unknown };

/** The snapshot in `json`, or `undefined` when it is not one. Settings are checked again when the lamp is made. */
export function parseLampSnapshot(json: string): LampSnapshot | undefined {
  let content: unknown;
  try {
    content = JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isSnapshot(content) ? content : undefined;
}

function isSnapshot(value: unknown): value is LampSnapshot {
  return (
    isFields(value) &&
    value["version"] === 1 &&
    isSettings(value["settings"]) &&
    isInstant(value["savedAt"]) &&
    isDeviceState(value["device"]) &&
    isLockout(value["lockout"]) &&
    typeof value["typed"] === "string" &&
    typeof value["isLit"] === "boolean" &&
    Array.isArray(value["events"]) &&
    value["events"].every(isEvent)
  );
}

function isSettings(value: unknown): value is LampSettings {
  if (!isFields(value) || typeof value["serial"] !== "string" || typeof value["keyHex"] !== "string") return false;
  const { startingCode, count, timeDivider, restrictedDigits, lockoutPolicy } = value;
  const areNumbers = [startingCode, count, timeDivider].every((field) => field === undefined || isCount(field));
  const isPolicy = lockoutPolicy === undefined || LOCKOUT_POLICIES.some((policy) => policy === lockoutPolicy);
  return areNumbers && isPolicy && (restrictedDigits === undefined || typeof restrictedDigits === "boolean");
}

function isDeviceState(value: unknown): value is DeviceState {
  return (
    isFields(value) &&
    isCount(value["count"]) &&
    value["count"] <= COUNT_MAX + SYNC_JUMP_MAX &&
    Array.isArray(value["usedCounts"]) &&
    value["usedCounts"].every(isCount) &&
    typeof value["paygEnabled"] === "boolean" &&
    (value["expiresAt"] === null || isInstant(value["expiresAt"]))
  );
}

function isLockout(value: unknown): value is LockoutState {
  if (!isFields(value) || !isCount(value["invalidStreak"])) return false;
  return value["lockedUntil"] === null || isInstant(value["lockedUntil"]);
}

function isEvent(value: unknown): value is LampEvent {
  return isFields(value) && isInstant(value["happenedAt"]) && typeof value["kind"] === "string";
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isInstant(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
