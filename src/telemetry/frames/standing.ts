/** What devices say of themselves besides what they measure, by the names that the field uses for it. */
import type { Standing, Wishes } from "./frame.ts";
import { isStorable, readPlace, show, UNIX_SECONDS_MAX } from "./reading.ts";

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Standing and wishes while they are gathered. */
export interface StandingDraft {
  readonly standing: Mutable<Standing>;
  readonly wishes: Mutable<Wishes>;
  /** Seconds of light left, which become an instant once it is known when the device said so. */
  secondsLeft: number | undefined;
  told: boolean;
}

export type StandingName =
  | "tokenCount"
  | "tampered"
  | "firmwareVersion"
  | "activeUntil"
  | "secondsLeft"
  | "daysLeft"
  | "unlocked"
  | "paygoEnabled"
  | "latitude"
  | "longitude"
  | "place"
  | "interval"
  | "wishUntil"
  | "wishLeft";

const NAMES: ReadonlyMap<string, StandingName> = new Map([
  ["token_count", "tokenCount"],
  ["tampered", "tampered"],
  ["firmware_version", "firmwareVersion"],
  ["active_until_timestamp", "activeUntil"],
  ["active_seconds_left", "secondsLeft"],
  ["days_left", "daysLeft"],
  ["days_remaining", "daysLeft"],
  ["unlocked", "unlocked"],
  ["paygo_enabled", "paygoEnabled"],
  ["latitude", "latitude"],
  ["longitude", "longitude"],
  ["gps", "place"],
  ["location", "place"],
  ["position", "place"],
  ["reporting_interval", "interval"],
  ["interval_seconds", "interval"],
  ["active_until_timestamp_requested", "wishUntil"],
  ["active_seconds_left_requested", "wishLeft"],
]);

export const NO_WISHES: Wishes = { activeUntil: false, activeSecondsLeft: false };

/** Which part of the standing a name tells; undefined for what is no part of it. */
export function findStandingName(name: string): StandingName | undefined {
  return NAMES.get(name);
}

export function makeStandingDraft(): StandingDraft {
  return {
    standing: {
      tokenCount: undefined,
      tampered: undefined,
      firmwareVersion: undefined,
      activeUntilMs: undefined,
      latitude: undefined,
      longitude: undefined,
      intervalSeconds: undefined,
    },
    wishes: { activeUntil: false, activeSecondsLeft: false },
    secondsLeft: undefined,
    told: false,
  };
}

/** The standing, if any was told. `saidAtMs` is when the device said so: seconds left count from there. */
export function finishStanding(draft: StandingDraft, saidAtMs: number): Standing | undefined {
  if (!draft.told) return undefined;
  const { standing, secondsLeft } = draft;
  if (standing.activeUntilMs === undefined && secondsLeft !== undefined) {
    return { ...standing, activeUntilMs: Math.round(saidAtMs + secondsLeft * 1_000) };
  }
  return standing;
}

/** PostgreSQL's integer, which counts and intervals are kept in. */
const INTEGER_MAX = 2_147_483_647;
const FIRMWARE_CHARACTERS_MAX = 64;
/** A century; what is longer is a device that was unlocked for good and says so with a number. */
const SECONDS_LEFT_MAX = 3_155_760_000;
const DAY_SECONDS = 86_400;

/** Takes one value. Answers what is wrong with it, or nothing. Null tells nothing. */
export function putStanding(draft: StandingDraft, name: StandingName, value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  const { standing, wishes } = draft;
  switch (name) {
    case "wishUntil":
      wishes.activeUntil = value === true || value === 1;
      return undefined;
    case "wishLeft":
      wishes.activeSecondsLeft = value === true || value === 1;
      return undefined;
    case "tokenCount":
      if (!isCount(value)) return `token_count is ${show(value)}; it must be a whole number from 0`;
      standing.tokenCount = value;
      break;
    case "tampered":
      if (!isFlag(value)) return `tampered is ${show(value)}; it must be true, false, 1 or 0`;
      standing.tampered = value === true || value === 1;
      break;
    case "firmwareVersion":
      if (!isVersion(value))
        return `firmware_version is ${show(value)}; it must be a text of 1 to ${FIRMWARE_CHARACTERS_MAX} characters`;
      standing.firmwareVersion = String(value);
      break;
    case "place": {
      const place = readPlace(value);
      if (place === undefined) return `the place is ${show(value)}; it must be [longitude, latitude] in degrees`;
      standing.longitude = place.longitude;
      standing.latitude = place.latitude;
      break;
    }
    case "latitude":
    case "longitude":
      if (typeof value !== "number" || !(Math.abs(value) <= (name === "latitude" ? 90 : 180))) {
        return `${name} is ${show(value)}; it must be in degrees`;
      }
      standing[name] = value;
      break;
    case "interval":
      if (!isCount(value) || value === 0)
        return `the reporting interval is ${show(value)}; it must be whole seconds, at least 1`;
      standing.intervalSeconds = value;
      break;
    case "activeUntil":
    case "secondsLeft":
    case "daysLeft":
    case "unlocked":
    case "paygoEnabled":
      return putLight(draft, name, value);
  }
  draft.told = true;
  return undefined;
}

type LightName = "activeUntil" | "secondsLeft" | "daysLeft" | "unlocked" | "paygoEnabled";

/** Until when there is light, in the ways in which devices put it. */
function putLight(draft: StandingDraft, name: LightName, value: unknown): string | undefined {
  if (name === "unlocked" || name === "paygoEnabled") {
    if (!isFlag(value))
      return `${name === "unlocked" ? "unlocked" : "paygo_enabled"} is ${show(value)}; it must be true, false, 1 or 0`;
    const isOn = value === true || value === 1;
    if (isOn === (name === "unlocked")) draft.standing.activeUntilMs = "forever";
  } else {
    const most = name === "activeUntil" ? UNIX_SECONDS_MAX : SECONDS_LEFT_MAX;
    const seconds = typeof value === "number" ? value * (name === "daysLeft" ? DAY_SECONDS : 1) : Number.NaN;
    if (!(seconds >= 0 && seconds <= most)) {
      return `the time of light is ${show(value)}; it must be ${name === "activeUntil" ? "Unix seconds" : name === "daysLeft" ? "days" : "seconds"}, not below 0`;
    }
    if (name !== "activeUntil") draft.secondsLeft = seconds;
    // Unlocked for good outlasts any date that comes along with it.
    else if (draft.standing.activeUntilMs !== "forever") draft.standing.activeUntilMs = Math.round(seconds * 1_000);
  }
  draft.told = true;
  return undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= INTEGER_MAX;
}

function isFlag(value: unknown): boolean {
  return typeof value === "boolean" || value === 0 || value === 1;
}

function isVersion(value: unknown): value is string | number {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "string" && value.length > 0 && value.length <= FIRMWARE_CHARACTERS_MAX && isStorable(value);
}
