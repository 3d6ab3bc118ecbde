import { HOUR_MS } from "../../kernel/time.ts";
import { daysAhead, type ActiveUntil } from "../states/days-left.ts";
import { silentAfterMs } from "../states/liveness.ts";
import type { Rule, RuleSettings } from "./rules.ts";

/** What rules look at: the state of one device in service that has spoken before. */
export interface Subject {
  readonly device: number;
  readonly model: string;
  readonly lastSeenAt: Date;
  readonly readingAt: Date | undefined;
  /** As expected, see `expectedIntervalMs`. */
  readonly intervalMs: number;
  readonly tampered: boolean | undefined;
  readonly chargePercent: number | undefined;
  readonly batteryVoltageV: number | undefined;
  readonly batteryTemperatureC: number | undefined;
  readonly panelPowerW: number | undefined;
  readonly panelVoltageV: number | undefined;
  readonly panelCurrentA: number | undefined;
  readonly signalDbm: number | undefined;
  readonly longitude: number | undefined;
  readonly activeUntil: ActiveUntil | undefined;
  readonly contractActiveUntil: ActiveUntil | undefined;
  readonly tokenCount: number | undefined;
  readonly tokensIssued: number;
  readonly firmwareVersion: string | undefined;
  readonly clockShiftSeconds: number;
}

export interface MeasureContext {
  readonly now: Date;
  /** Of the operator's zone, for devices whose place is unknown. */
  readonly zoneOffsetHours: number;
  /** The oldest firmware that is good enough, by model. */
  readonly firmwareMinimum: ReadonlyMap<string, string>;
}

/** The middle of a solar day: even under cloud and on a bad roof a panel that works gives something then. */
export const PANEL_HOURS = { from: 10, to: 15 } as const;
/** Above this the charger may have turned a good panel off. */
export const FULL_PERCENT = 95;

/**
 * The value that the rule compares with its thresholds; undefined where it cannot be known now. A device beyond its limit
 * of silence has no present but its silence: old values neither raise nor clear anything.
 */
export function measure(
  rule: Rule,
  { subject, settings, context }: { subject: Subject; settings: RuleSettings; context: MeasureContext },
): number | undefined {
  const silence = Math.max(0, context.now.getTime() - subject.lastSeenAt.getTime()) / silentAfterMs(subject.intervalMs);
  if (rule === "silent") return silence;
  if (silence >= 1) return undefined;
  switch (rule) {
    case "tampered":
      return subject.tampered === undefined ? undefined : Number(subject.tampered);
    case "battery_low":
    case "battery_deep":
      return settings.quantity === "volts" ? subject.batteryVoltageV : subject.chargePercent;
    case "battery_hot":
      return subject.batteryTemperatureC;
    case "panel_dead":
      return panelPower(subject, { settings, context });
    case "signal_weak":
      return subject.signalDbm;
    case "days_differ":
      return daysApart(subject, context.now);
    case "token_lag":
      return subject.tokenCount === undefined ? undefined : Math.max(0, subject.tokensIssued - subject.tokenCount);
    case "firmware_old": {
      const minimum = context.firmwareMinimum.get(subject.model);
      if (minimum === undefined || subject.firmwareVersion === undefined) return undefined;
      return Number(isOlder(subject.firmwareVersion, minimum));
    }
    case "clock_wrong":
      return Math.abs(subject.clockShiftSeconds);
  }
}

/**
 * Whether the rule asks nothing of this device any more, as opposed to what cannot be known now: its model has no minimum of
 * firmware, or its battery is judged by a quantity that it never told (what a device told once is remembered). Waiting for
 * such a value to come back would be waiting for ever.
 */
export function isVoid(
  rule: Rule,
  { subject, settings, context }: { subject: Subject; settings: RuleSettings; context: MeasureContext },
): boolean {
  switch (rule) {
    case "battery_low":
    case "battery_deep":
      return (settings.quantity === "volts" ? subject.batteryVoltageV : subject.chargePercent) === undefined;
    case "firmware_old":
      return !context.firmwareMinimum.has(subject.model);
    case "silent":
    case "tampered":
    case "battery_hot":
    case "panel_dead":
    case "signal_weak":
    case "days_differ":
    case "token_lag":
    case "clock_wrong":
      return false;
  }
}

/** Watts in the middle of the day; at other hours only what shows that the panel works. */
function panelPower(
  subject: Subject,
  { settings, context }: { settings: RuleSettings; context: MeasureContext },
): number | undefined {
  const { panelVoltageV: volts, panelCurrentA: amperes, readingAt, chargePercent } = subject;
  const power =
    subject.panelPowerW ?? (volts === undefined || amperes === undefined ? undefined : Math.max(0, volts * amperes));
  if (power === undefined || readingAt === undefined) return undefined;
  if (power >= settings.clearAt) return power;
  const hour = solarHour(readingAt, subject.longitude ?? context.zoneOffsetHours * 15);
  if (hour < PANEL_HOURS.from || hour >= PANEL_HOURS.to) return undefined;
  return chargePercent === undefined || chargePercent >= FULL_PERCENT ? undefined : power;
}

/** The hour by the mean sun at a longitude: 15 degrees are an hour. The equation of time, a quarter of an hour, does not matter here. */
export function solarHour(at: Date, longitude: number): number {
  const hours = at.getTime() / HOUR_MS + longitude / 15;
  return hours - 24 * Math.floor(hours / 24);
}

/** A token that the device has not taken explains the difference: that is `token_lag`'s business. */
function daysApart(subject: Subject, now: Date): number | undefined {
  const { activeUntil, contractActiveUntil, tokenCount, tokensIssued } = subject;
  if (tokenCount !== undefined && tokenCount < tokensIssued) return undefined;
  const ahead = daysAhead({ device: activeUntil, contract: contractActiveUntil }, now);
  return ahead === undefined ? undefined : Math.abs(ahead);
}

/**
 * Whether a version is older than another, by their numbers in order: "2.9" is older than "2.10", "v1.4-rc2" counts as
 * 1.4.2. A version without any number is not called old.
 */
export function isOlder(version: string, minimum: string): boolean {
  const [left, right] = [numbersOf(version), numbersOf(minimum)];
  if (left.length === 0) return false;
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [mine, least] = [left[at] ?? 0, right[at] ?? 0];
    if (mine !== least) return mine < least;
  }
  return false;
}

const numbersOf = (version: string): readonly number[] => (version.match(/\d{1,9}/g) ?? []).map(Number);
