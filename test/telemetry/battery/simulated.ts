import {
  drawSystem,
  makeSystem,
  type Chemistry,
  type SystemOptions,
} from "../../../simulators/fleet/physics/physics.ts";
import { liveWeek, type WeekOfBattery } from "../../../src/telemetry/battery/health.ts";
import { BLANK_MEMORY } from "../../../src/telemetry/battery/memory.ts";
import { addWeek, BLANK_LIFE, type Life } from "../../../src/telemetry/battery/life.ts";
import type { Sample } from "../../../src/telemetry/battery/samples.ts";

/** A Monday. */
export const START = Date.UTC(2024, 0, 1);
export const WEEK = 7 * 86_400_000;
export const CELLS = { lead_acid: 6, lfp: 4, li_ion: 3 } as const;
const PLACE = { latitude: -1.95, longitude: 30.06, timezone: "Africa/Kigali" };

export function draw(seed: number, chemistry: Chemistry, change: Partial<SystemOptions> = {}): SystemOptions {
  return { ...drawSystem({ seed, place: PLACE, chemistry, startMs: START, faultYears: undefined }), ...change };
}

/** The weeks of readings of one system, and its true share of new at the end of each. */
export function record(
  options: SystemOptions,
  { weeks, minutes }: { weeks: number; minutes: number },
): { samples: Sample[]; truth: number }[] {
  const system = makeSystem(options);
  let atMs = START;
  return Array.from({ length: weeks }, (_, week) => {
    const samples: Sample[] = [];
    while (atMs < START + (week + 1) * WEEK) {
      atMs += minutes * 60_000;
      const told = system.advance(atMs);
      samples.push({
        atMs,
        volts: told.batteryVoltageV,
        amperes: told.batteryCurrentA,
        temperatureC: told.batteryTemperatureC,
        panelA: told.panelPowerW / told.batteryVoltageV,
        loadA: told.loadCurrentA,
      });
    }
    return { samples, truth: system.truth().shareOfNew };
  });
}

/** What the method knows after each week. */
export function follow(
  options: SystemOptions,
  weeks: readonly (readonly Sample[])[],
  bornNew = true,
): { weeks: WeekOfBattery[]; life: Life } {
  const spec = { chemistry: options.chemistry, ratedAh: options.capacityAh, cells: CELLS[options.chemistry] };
  let memory = BLANK_MEMORY;
  let life = BLANK_LIFE;
  const known = weeks.map((raw) => {
    const week = liveWeek(memory, { raw, spec, bornNew });
    // As it will be read back from the database.
    memory = JSON.parse(JSON.stringify(week.memory)) as typeof memory;
    life = JSON.parse(JSON.stringify(addWeek(life, week, spec))) as typeof life;
    return week;
  });
  return { weeks: known, life };
}
