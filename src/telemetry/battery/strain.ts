import type { Sample } from "./samples.ts";
import { GAP_MS_MAX } from "./samples.ts";

/** What a battery lived through in some time. */
export interface HeatExposure {
  /** Hours with a temperature. */
  readonly hours: number;
  /** The same hours, each weighed by how much faster batteries age at its temperature than at 25 °C. */
  readonly weightedHours: number;
}

const ACTIVATION_J = 50_000;
const GAS_J_PER_MOL_K = 8.314;
const KELVIN = 273.15;

/**
 * How much faster ageing goes at a temperature than at 25 °C: Arrhenius with 50 kJ/mol, which doubles it per ten degrees or so,
 * the rule of thumb for lead batteries, and within what was measured for LFP and NMC (Naumann et al. 2018).
 */
export function ageingFactor(temperatureC: number): number {
  return Math.exp((ACTIVATION_J / GAS_J_PER_MOL_K) * (1 / (25 + KELVIN) - 1 / (temperatureC + KELVIN)));
}

/** Heat over samples in time order; silences are not counted. */
export function measureHeat(samples: readonly Sample[]): HeatExposure {
  let [hours, weightedHours] = [0, 0];
  for (const [at, { atMs, temperatureC }] of samples.entries()) {
    const passedMs = atMs - (samples[at - 1]?.atMs ?? atMs);
    if (Number.isNaN(temperatureC) || passedMs > GAP_MS_MAX) continue;
    hours += passedMs / 3_600_000;
    weightedHours += (ageingFactor(temperatureC) * passedMs) / 3_600_000;
  }
  return { hours, weightedHours };
}

/**
 * Equivalent full cycles: ampere-hours taken out over the rated ones. Throughput, not rainflow, since a home's week is one swing
 * a day, where both come to the same, and because throughput adds up over gaps and weeks.
 */
export function equivalentCycles(outAh: number, ratedAh: number): number {
  return outAh / ratedAh;
}
