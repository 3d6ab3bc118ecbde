import { CHEMISTRY_FACTS, END_OF_LIFE, type BatterySpec } from "./chemistry-facts.ts";
import type { StateOfHealth } from "./health.ts";
import type { Life } from "./life.ts";

/** Why a battery fails, or why its home sits in the dark. The most certain first. */
export const FAILURE_REASONS = [
  "sensor_broken",
  "cell_lost",
  "shaded",
  "too_little_charging",
  "too_small",
  "sulphated",
  "worn",
  "hot",
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** Whether the system is large enough for its use. */
export const SIZINGS = ["fits", "battery_too_small", "panel_too_small", "unknown"] as const;
export type Sizing = (typeof SIZINGS)[number];

/** Below three charges a fortnight to full, lead sulphates: a rule of thumb, since makers ask for a full charge every week or two. */
const FULLS_LEAST = 1.5;
/** The panel gives less than this share of what it gave when young, while the home uses as much. */
const SHADED_SHARE = 0.6;
/** Twice the ageing of 25 °C: some 35 °C all year. */
const HOT_FACTOR = 2;
const EMPTY_SHARE_MAX = 0.08;
/** Energy lost on the way through a battery, a margin for dull days: a panel must give so much more than is used. */
const PANEL_MARGIN = 1.1;

/**
 * Sizing check. Battery: the use between two charges, taken as two thirds of a day's, must not exceed the share of the capacity
 * advised for its kind (stand-alone systems are sized by depth of discharge). Panel: what it gives in a
 * day must cover the use and the losses, judged only where the battery is not full anyway, since a full battery turns the panel
 * away.
 */
export function checkSizing(life: Life, health: StateOfHealth | undefined, spec: BatterySpec): Sizing {
  const { lately } = life;
  if (lately?.useAhPerDay === undefined) return "unknown";
  const { depthAdvised } = CHEMISTRY_FACTS[spec.chemistry];
  const hungry = lately.fullsPerWeek < FULLS_LEAST;
  if (hungry && lately.panelAhPerDay !== undefined && lately.panelAhPerDay < PANEL_MARGIN * lately.useAhPerDay)
    return "panel_too_small";
  const usableAh = spec.ratedAh * Math.min(1, health?.share ?? 1) * depthAdvised;
  return (2 / 3) * lately.useAhPerDay > usableAh ? "battery_too_small" : "fits";
}

/** What explains the battery's state. Rules of thumb, each stated at its constant; none where all is well. */
export function findReasons(
  life: Life,
  health: StateOfHealth | undefined,
  spec: BatterySpec,
): readonly FailureReason[] {
  const { lately, young } = life;
  if (lately === undefined) return [];
  const found = new Set<FailureReason>();
  if (lately.sensorDoubt > 0.5) found.add("sensor_broken");
  if (life.cellLostWeek !== undefined) found.add("cell_lost");
  const ended = health !== undefined && health.share < END_OF_LIFE;
  const hungry = lately.fullsPerWeek < FULLS_LEAST;
  const dark = lately.emptyShare > EMPTY_SHARE_MAX;
  const panelFell =
    lately.panelAhPerDay !== undefined &&
    young?.panelAhPerDay !== undefined &&
    lately.panelAhPerDay < SHADED_SHARE * young.panelAhPerDay;
  const useHeld = (lately.useAhPerDay ?? 0) > SHADED_SHARE * (young?.useAhPerDay ?? 0);
  if (hungry && panelFell && (useHeld || dark)) found.add("shaded");
  else if (hungry && (dark || spec.chemistry === "lead_acid")) found.add("too_little_charging");
  if (!found.has("shaded") && checkSizing(life, health, spec) !== "fits" && dark) found.add("too_small");
  if (ended && spec.chemistry === "lead_acid" && hungry) found.add("sulphated");
  else if (ended && !found.has("cell_lost")) found.add("worn");
  const heat = life.heatHours > 0 ? life.heatWeightedHours / life.heatHours : 1;
  if (heat > HOT_FACTOR && (ended || heat > 1.5 * HOT_FACTOR)) found.add("hot");
  return FAILURE_REASONS.filter((reason) => found.has(reason));
}
