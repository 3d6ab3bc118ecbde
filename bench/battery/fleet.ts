import {
  drawSystem,
  makeChance,
  makeSystem,
  type Chemistry,
  type Place,
} from "../../simulators/fleet/physics/physics.ts";
import { liveWeek } from "../../src/telemetry/battery/health.ts";
import { BLANK_MEMORY } from "../../src/telemetry/battery/memory.ts";
import { addWeek, BLANK_LIFE } from "../../src/telemetry/battery/life.ts";
import type { FailureReason } from "../../src/telemetry/battery/reasons.ts";
import type { Sample } from "../../src/telemetry/battery/samples.ts";
import { judgeWeek } from "../../src/telemetry/battery/verdict.ts";

/** One week of one simulated battery: what was said, and what was true. */
export interface JudgedWeek {
  readonly week: number;
  /** Capacity over that when new. */
  readonly truth: number;
  /** Undefined: not enough evidence. */
  readonly said: number | undefined;
  readonly least: number | undefined;
  readonly most: number | undefined;
  /** Probability of reaching its end within 8 and 26 weeks; undefined: no forecast. */
  readonly within8: number | undefined;
  readonly within26: number | undefined;
  readonly weeks50: number | undefined;
  readonly reasons: readonly FailureReason[];
}

export interface JudgedBattery {
  readonly seed: number;
  readonly chemistry: Chemistry;
  /** What was wrong with it in the end, besides wear. */
  readonly fault: string | undefined;
  readonly weeks: readonly JudgedWeek[];
  /** The first week of which the true share of new is below four fifths. */
  readonly endedWeek: number | undefined;
}

const PLACES: readonly Place[] = [
  { latitude: -1.95, longitude: 30.06, timezone: "Africa/Kigali" },
  { latitude: 12.0, longitude: 8.52, timezone: "Africa/Lagos" },
  { latitude: 6.13, longitude: 1.22, timezone: "Africa/Lome" },
  { latitude: -13.96, longitude: 33.79, timezone: "Africa/Blantyre" },
  { latitude: 23.8, longitude: 90.4, timezone: "Asia/Dhaka" },
  { latitude: -18.15, longitude: 49.4, timezone: "Indian/Antananarivo" },
];
const CHEMISTRIES: readonly Chemistry[] = ["lead_acid", "lfp", "li_ion"];
const CELLS = { lead_acid: 6, lfp: 4, li_ion: 3 } as const;
const INTERVAL_MINUTES = [10, 15, 30, 60] as const;
const START_MS = Date.UTC(2023, 0, 2);
const WEEK_MS = 7 * 86_400_000;
const MINUTE_MS = 60_000;
/** Worn this far, a battery has long been replaced. */
const REPLACED_BELOW = 0.6;

/**
 * Lives one battery through the weeks and asks the field method at the end of each. The radio loses days at a time, repeats
 * readings and lets the clock drift, by the seed; the method is given the data sheet and the readings and nothing else.
 */
export function judgeBattery(seed: number, weeksMax: number): JudgedBattery {
  const chance = makeChance(seed, "judge");
  const chemistry = CHEMISTRIES[seed % 3] ?? "li_ion";
  const place = PLACES[Math.floor(chance.unit() * PLACES.length)] ?? { latitude: 0, longitude: 0, timezone: "UTC" };
  const options = drawSystem({ seed, place, chemistry, startMs: START_MS, faultYears: 3 });
  const system = makeSystem(options);
  const intervalMs = (INTERVAL_MINUTES[Math.floor(chance.unit() * 4)] ?? 30) * MINUTE_MS;
  const driftPerDayMs = chance.between(-4_000, 4_000);
  const silentShare = chance.between(0, 0.05);
  const spec = { chemistry, ratedAh: options.capacityAh, cells: CELLS[chemistry] };
  const weeks: JudgedWeek[] = [];
  let memory = BLANK_MEMORY;
  let life = BLANK_LIFE;
  let atMs = START_MS;
  let silentUntilMs = 0;
  let endedWeek: number | undefined;
  for (let week = 0; week < weeksMax; week += 1) {
    const raw: Sample[] = [];
    const weekEndMs = START_MS + (week + 1) * WEEK_MS;
    while (atMs < weekEndMs) {
      atMs += intervalMs;
      const told = system.advance(atMs);
      if (atMs > silentUntilMs && chance.happens((silentShare * intervalMs) / (36 * 60 * MINUTE_MS)))
        silentUntilMs = atMs + chance.between(2, 72) * 60 * MINUTE_MS;
      if (atMs <= silentUntilMs) continue;
      const sample = {
        atMs: atMs + ((atMs - START_MS) / (24 * 60 * MINUTE_MS)) * driftPerDayMs,
        volts: told.batteryVoltageV,
        amperes: told.batteryCurrentA,
        temperatureC: told.batteryTemperatureC,
        panelA: told.panelPowerW / told.batteryVoltageV,
        loadA: told.loadCurrentA,
      };
      raw.push(sample);
      if (chance.happens(0.02)) raw.push(sample);
    }
    const lived = liveWeek(memory, { raw, spec, bornNew: true });
    ({ memory } = lived);
    life = addWeek(life, lived, spec);
    const { health, forecast, reasons } = judgeWeek(lived, life, { spec, bornNew: true });
    const truth = system.truth().shareOfNew;
    if (truth < 0.8) endedWeek ??= week;
    weeks.push({
      week,
      truth,
      said: health?.share,
      least: health?.least,
      most: health?.most,
      within8: forecast?.within8Weeks,
      within26: forecast?.within26Weeks,
      weeks50: forecast?.weeks50,
      reasons,
    });
    if (truth < REPLACED_BELOW) break;
  }
  return { seed, chemistry, fault: system.truth().cause, weeks, endedWeek };
}
