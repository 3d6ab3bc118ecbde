import { InvalidInput } from "../../kernel/refusal.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../kernel/time.ts";
import type { Thresholds } from "./hysteresis.ts";

/** Trouble lies above the threshold, or below it. */
export type Direction = "above" | "below";

export const RULES = [
  "silent",
  "tampered",
  "battery_low",
  "battery_deep",
  "battery_hot",
  "panel_dead",
  "signal_weak",
  "days_differ",
  "token_lag",
  "firmware_old",
  "clock_wrong",
] as const;
export type Rule = (typeof RULES)[number];

/** What a battery rule reads: the charge where devices tell one, else the voltage of a model's battery. */
export type BatteryQuantity = "percent" | "volts";

/** A rule as it stands for a model. */
export interface RuleSettings extends Omit<Thresholds, "direction"> {
  readonly enabled: boolean;
  /** Of `battery_low` and `battery_deep` alone. */
  readonly quantity: BatteryQuantity | undefined;
  /** Told at night too. */
  readonly urgent: boolean;
  /** By message; the screen shows every alert. */
  readonly told: boolean;
}

/** What never changes about a rule, and what it starts with. */
export interface RuleDefinition {
  readonly direction: Direction;
  /** What its value and thresholds are counted in. */
  readonly unit: string;
  readonly defaults: RuleSettings;
}

const settings = (
  [raiseAt, clearAt]: readonly [raiseAt: number, clearAt: number],
  { raiseAfterMs = 0, clearAfterMs = 0, ...rest }: Partial<RuleSettings> = {},
): RuleSettings => ({
  raiseAt,
  clearAt,
  raiseAfterMs,
  clearAfterMs,
  enabled: true,
  quantity: undefined,
  urgent: false,
  told: true,
  ...rest,
});

export const DEFINITIONS: Readonly<Record<Rule, RuleDefinition>> = {
  /** How long it has been silent, as a multiple of what makes a device silent (see `liveness.ts`). */
  silent: { direction: "above", unit: "times its limit of silence", defaults: settings([1, 0.6]) },
  tampered: { direction: "above", unit: "1 while it tells so", defaults: settings([1, 0], { urgent: true }) },
  battery_low: {
    direction: "below",
    unit: "percent of charge, or volts",
    defaults: settings([20, 35], { raiseAfterMs: 30 * MINUTE_MS, clearAfterMs: 30 * MINUTE_MS, quantity: "percent" }),
  },
  battery_deep: {
    direction: "below",
    unit: "percent of charge, or volts",
    defaults: settings([5, 15], { raiseAfterMs: 15 * MINUTE_MS, clearAfterMs: 30 * MINUTE_MS, quantity: "percent" }),
  },
  battery_hot: {
    direction: "above",
    unit: "degrees Celsius",
    defaults: settings([50, 45], { raiseAfterMs: 15 * MINUTE_MS, clearAfterMs: 30 * MINUTE_MS, urgent: true }),
  },
  /** The panel's power in the middle of its own day while the battery is not full. */
  panel_dead: {
    direction: "below",
    unit: "watts",
    defaults: settings([0.2, 1], { raiseAfterMs: 2 * HOUR_MS, clearAfterMs: 0 }),
  },
  signal_weak: {
    direction: "below",
    unit: "dBm",
    defaults: settings([-110, -104], { raiseAfterMs: 6 * HOUR_MS, clearAfterMs: HOUR_MS, told: false }),
  },
  /** Days of light by the device's counting and by the contract: how far apart, either way. */
  days_differ: {
    direction: "above",
    unit: "days",
    defaults: settings([2, 1], { raiseAfterMs: DAY_MS, clearAfterMs: HOUR_MS }),
  },
  token_lag: {
    direction: "above",
    unit: "counts behind the last token",
    defaults: settings([1, 0], { raiseAfterMs: 3 * DAY_MS }),
  },
  firmware_old: {
    direction: "above",
    unit: "1 while older than its model's minimum",
    defaults: settings([1, 0], { raiseAfterMs: DAY_MS, told: false }),
  },
  clock_wrong: {
    direction: "above",
    unit: "seconds",
    defaults: settings([3_600, 600], { raiseAfterMs: HOUR_MS, told: false }),
  },
};

export function isRule(text: string): text is Rule {
  return RULES.some((rule) => rule === text);
}

/** Settings by rule and model; a model's own go before those of all models (''), and these before the defaults. */
export type RuleBook = ReadonlyMap<string, RuleSettings>;

const bookKey = (rule: Rule, model: string): string => `${rule}\n${model}`;

export function makeRuleBook(
  changed: readonly { readonly rule: Rule; readonly model: string; readonly settings: RuleSettings }[],
): RuleBook {
  return new Map(changed.map((one) => [bookKey(one.rule, one.model), one.settings]));
}

export function settingsFor(book: RuleBook, rule: Rule, model: string): RuleSettings {
  return book.get(bookKey(rule, model)) ?? book.get(bookKey(rule, "")) ?? DEFINITIONS[rule].defaults;
}

/** The models that have settings of their own for the rule. */
export function modelsOf(book: RuleBook, rule: Rule): readonly string[] {
  return [...book.keys()].flatMap((key) => {
    const [name, model] = key.split("\n");
    return name === rule && model !== undefined && model !== "" ? [model] : [];
  });
}

const AFTER_MAX_MS = 30 * DAY_MS;

/** Refuses settings under which a rule would flap, never be cleared, or read what it cannot. */
export function checkSettings(rule: Rule, given: RuleSettings): RuleSettings {
  const { direction } = DEFINITIONS[rule];
  const { raiseAt, clearAt, raiseAfterMs, clearAfterMs, quantity } = given;
  if (!Number.isFinite(raiseAt) || !Number.isFinite(clearAt))
    throw new InvalidInput("Thresholds are numbers.", Number.isFinite(raiseAt) ? "clearAt" : "raiseAt");
  if (direction === "above" ? clearAt >= raiseAt : clearAt <= raiseAt) {
    const side = direction === "above" ? "below" : "above";
    throw new InvalidInput(
      `${rule} is cleared ${side} the value that raises it: give a clear threshold ${side} ${raiseAt}.`,
      "clearAt",
    );
  }
  for (const [field, afterMs] of Object.entries({ raiseAfterMs, clearAfterMs })) {
    if (!Number.isInteger(afterMs) || afterMs < 0 || afterMs > AFTER_MAX_MS)
      throw new InvalidInput("A time to wait is 0 to 30 days.", field);
  }
  const isBattery = rule === "battery_low" || rule === "battery_deep";
  if (isBattery !== (quantity !== undefined))
    throw new InvalidInput(
      isBattery ? "Say whether the thresholds are percent or volts." : `${rule} has no quantity to choose.`,
      "quantity",
    );
  if (rule === "silent" && raiseAt < 1)
    throw new InvalidInput("Silence is raised at 1 (times its limit) or later.", "raiseAt");
  return given;
}
