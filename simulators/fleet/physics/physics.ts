/** The physics of solar home systems: what the fleet simulator may use. */
export { drawAgeing, type AgeingParameters } from "./ageing.ts";
export { makeChance, type Chance } from "./chance.ts";
export type { Chemistry } from "./chemistry.ts";
export { drawLabel, drawSystem, type BatteryLabel } from "./draw.ts";
export { drawFault, type Fault } from "./faults.ts";
export type { LoadHabit } from "./habit.ts";
export { drawMeter, type MeterQuality } from "./meter.ts";
export type { Place } from "./sun.ts";
export { makeSystem, type Measurement, type SolarSystem, type SystemOptions, type Truth } from "./system.ts";
