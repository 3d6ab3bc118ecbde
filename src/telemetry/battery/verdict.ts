import type { BatterySpec } from "./chemistry-facts.ts";
import type { EndOfLifeForecast } from "./forecast.ts";
import type { StateOfHealth, WeekOfBattery } from "./health.ts";
import type { Life } from "./life.ts";
import { checkSizing, findReasons, type FailureReason, type Sizing } from "./reasons.ts";

/** What the state of health stands on, for a person who doubts it. */
export interface BatteryEvidence {
  readonly weeks: number;
  /** Discharges from full that told something of the capacity. */
  readonly discharges: number;
  readonly weeksWithCapacity: number;
  readonly equivalentCycles: number;
  readonly deepDischarges: number;
  /** How much faster it ages by heat than at 25 °C, over its life. */
  readonly heatFactor: number | undefined;
  readonly resistanceOhm: number | undefined;
  readonly resistanceGrowth: number | undefined;
  readonly fullsPerWeek: number | undefined;
  readonly hoursToFull: number | undefined;
  readonly useAhPerDay: number | undefined;
  /** Readings of the week that no battery could give. */
  readonly impossibleReadings: number;
}

/** What is said of a battery at the end of a week. */
export interface BatteryVerdict {
  readonly health: StateOfHealth | undefined;
  /** Why there is no state of health. */
  readonly lacking: WeekOfBattery["lacking"];
  /** Shares are of the capacity when new; else of the rated one. */
  readonly ofNew: boolean;
  readonly forecast: EndOfLifeForecast | undefined;
  readonly reasons: readonly FailureReason[];
  readonly sizing: Sizing;
  readonly evidence: BatteryEvidence;
}

/** Puts together what a week and a life say of a battery. */
export function judgeWeek(
  week: WeekOfBattery,
  life: Life,
  { spec, bornNew }: { readonly spec: BatterySpec; readonly bornNew: boolean },
): BatteryVerdict {
  const reasons = findReasons(life, week.health, spec);
  // A current that is not measured says nothing of capacity, however steadily it does so.
  const blind = reasons.includes("sensor_broken");
  return {
    health: blind ? undefined : week.health,
    lacking: blind ? "sensor_broken" : week.lacking,
    ofNew: bornNew,
    forecast: blind ? undefined : week.forecast,
    reasons,
    sizing: checkSizing(life, week.health, spec),
    evidence: {
      weeks: life.weeks,
      discharges: week.memory.nights,
      weeksWithCapacity: week.memory.seenWeeks,
      equivalentCycles: life.cycles,
      deepDischarges: life.deepDischarges,
      heatFactor: life.heatHours > 0 ? life.heatWeightedHours / life.heatHours : undefined,
      resistanceOhm: week.memory.resistance?.value,
      resistanceGrowth: week.resistanceGrowth,
      fullsPerWeek: life.lately?.fullsPerWeek,
      hoursToFull: life.lately?.hoursToFull,
      useAhPerDay: life.lately?.useAhPerDay,
      impossibleReadings: week.impossible,
    },
  };
}
