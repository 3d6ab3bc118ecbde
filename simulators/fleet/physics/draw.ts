import { drawAgeing } from "./ageing.ts";
import { makeChance, type Chance } from "./chance.ts";
import type { Chemistry } from "./chemistry.ts";
import { CELL_KINDS } from "./chemistry.ts";
import { drawFault } from "./faults.ts";
import { drawMeter } from "./meter.ts";
import type { Place } from "./sun.ts";
import type { SystemOptions } from "./system.ts";

const SIZES_AH: Readonly<Record<Chemistry, readonly number[]>> = {
  lead_acid: [7, 12, 17, 18, 26, 40],
  lfp: [6, 10, 12, 20, 30],
  li_ion: [4.4, 6.6, 8.8, 13.2, 20],
};

/** What stands on a battery. */
export interface BatteryLabel {
  readonly chemistry: Chemistry;
  readonly ratedAh: number;
  /** In series. */
  readonly cells: number;
}

/** The label of the battery that `drawSystem` draws for the same seed. */
export function drawLabel({ seed, chemistry }: { readonly seed: number; readonly chemistry: Chemistry }): BatteryLabel {
  return { chemistry, ratedAh: drawCapacity(chemistry, makeChance(seed, "draw")), cells: CELL_KINDS[chemistry].cells };
}

function drawCapacity(chemistry: Chemistry, chance: Chance): number {
  const sizes = SIZES_AH[chemistry];
  return sizes[Math.floor(chance.unit() * sizes.length)] ?? 12;
}

/**
 * A whole system out of one seed: size, use, panel, ageing, meter, perhaps a fault. Use takes 25 to 90 percent of the
 * battery on a usual day and the panel gives 1.0 to 2.2 times the use on a clear one, so some systems are too small from
 * the first day, as in any fleet.
 */
export function drawSystem({
  seed,
  place,
  chemistry,
  startMs,
  faultYears,
}: {
  readonly seed: number;
  readonly place: Place;
  readonly chemistry: Chemistry;
  readonly startMs: number;
  /** Within how many years a fault may come; none when undefined. */
  readonly faultYears: number | undefined;
}): SystemOptions {
  const chance = makeChance(seed, "draw");
  const capacityAh = drawCapacity(chemistry, chance);
  const { cells, floatV } = CELL_KINDS[chemistry];
  const batteryWh = capacityAh * cells * floatV * 0.95;
  const dailyWh = batteryWh * chance.between(0.25, 0.9);
  const habit = {
    cluster: Math.floor(chance.unit() * 4),
    dailyWh,
    yearlyGrowth: chance.between(-0.05, 0.15),
    awayShare: chance.between(0, 0.08),
  };
  // Five and a half clear-sky sun hours, of which derating, heat and conversion leave about six tenths.
  const panelW = Math.round((dailyWh * chance.between(1, 2.2)) / (5.5 * 0.6));
  const ageing = drawAgeing(chemistry, chance);
  const meter = drawMeter(capacityAh / 5, chance);
  const fault = faultYears === undefined ? undefined : drawFault(chemistry, chance, { startMs, years: faultYears });
  return { seed, place, chemistry, capacityAh, panelW, habit, ageing, meter, fault, startMs };
}
