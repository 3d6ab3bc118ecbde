/** The home that a device hangs in: panel, battery and habits from the physics, and what people do to it. */
import { makeStream } from "../rail/chance.ts";
import {
  drawLabel,
  drawSystem,
  makeSystem,
  type BatteryLabel,
  type Chemistry,
  type Measurement,
  type Place,
  type SolarSystem,
  type Truth,
} from "./physics/physics.ts";

export interface Home {
  readonly chemistry: Chemistry;
  /** Lives until the instant under the conditions given and measures; instants grow. */
  live(atMs: number, conditions: { mayGiveLight: boolean; isBypassed: boolean }): Measurement;
  /** Somebody puts another battery in, which has lived elsewhere. The meter's counters go on. */
  swapBattery(atMs: number): void;
  truth(): Truth & { readonly energyInWh: number; readonly energyOutWh: number };
}

/** Of the load of a home whose lamp is wired past the meter, what the meter does not see. */
const BYPASSED_SHARE = 0.8;
/** A year before the fleet's first day is lived in steps of an hour: ageing asks for no more. */
const STEP_MINUTES = 60;
const YEAR_MS = 365 * 86_400_000;

/**
 * `ageYears`: the battery has lived up to so many years before the start, evenly spread over a fleet. `hasFaults`: within three
 * years something besides ageing may go wrong (shade, a lost cell, a broken sensor, heat).
 */
export function makeHome({
  seed,
  serial,
  place,
  startMs,
  ageYears,
  hasFaults,
}: {
  seed: number;
  serial: string;
  place: Place;
  startMs: number;
  ageYears: number;
  hasFaults: boolean;
}): Home {
  const chance = makeStream(seed, serial, "home");
  const chemistry = drawChemistry(chance());
  const build = (nthBattery: number, bornMs: number): SolarSystem => {
    const own = batterySeed({ seed, serial }, nthBattery);
    const options = drawSystem({ seed: own, place, chemistry, startMs: bornMs, faultYears: hasFaults ? 3 : undefined });
    return makeSystem({ ...options, startMs: tidy(bornMs), stepMinutes: STEP_MINUTES });
  };
  let system = build(0, startMs - Math.floor(chance() * ageYears * YEAR_MS));
  let battery = 0;
  // What was counted before the first day is the battery's past, not the meter's.
  let before = system.advance(tidy(startMs));
  const counters = { inWh: 0, outWh: 0, hiddenWh: 0 };

  return {
    chemistry,
    live(atMs, { mayGiveLight, isBypassed }) {
      system.setLocked(!mayGiveLight && !isBypassed);
      const told = system.advance(tidy(atMs));
      const outWh = Math.max(0, told.energyOutWh - before.energyOutWh);
      counters.inWh += Math.max(0, told.energyInWh - before.energyInWh);
      counters.outWh += outWh;
      if (isBypassed) counters.hiddenWh += outWh * BYPASSED_SHARE;
      before = told;
      const seen = isBypassed ? 1 - BYPASSED_SHARE : 1;
      return {
        ...told,
        loadCurrentA: rounded(told.loadCurrentA * seen, 100),
        loadPowerW: rounded(told.loadPowerW * seen, 10),
        energyInWh: counters.inWh,
        energyOutWh: Math.floor(counters.outWh - counters.hiddenWh),
      };
    },
    swapBattery(atMs) {
      battery += 1;
      const lived = makeStream(seed, serial, "used battery", battery)() * 3 * YEAR_MS;
      system = build(battery, atMs - Math.floor(lived));
      before = system.advance(tidy(atMs));
    },
    truth: () => ({ ...system.truth(), energyInWh: counters.inWh, energyOutWh: counters.outWh }),
  };
}

/** What stands on the battery that this home begins with. */
export function batteryOf(name: { readonly seed: number; readonly serial: string }): BatteryLabel {
  return drawLabel({
    seed: batterySeed(name, 0),
    chemistry: drawChemistry(makeStream(name.seed, name.serial, "home")()),
  });
}

function batterySeed({ seed, serial }: { readonly seed: number; readonly serial: string }, nthBattery: number): number {
  return Math.floor(makeStream(seed, serial, "battery", nthBattery)() * 2 ** 31);
}

/** Lead-acid in the older half of a fleet, lithium in the newer. */
function drawChemistry(draw: number): Chemistry {
  if (draw < 0.4) return "lead_acid";
  return draw < 0.8 ? "lfp" : "li_ion";
}

/** The physics looks at the middle of each of its steps, and a calendar knows no half milliseconds. */
const tidy = (atMs: number): number => Math.floor(atMs / 2_000) * 2_000;

const rounded = (value: number, perUnit: number): number => Math.round(value * perUnit) / perUnit;
