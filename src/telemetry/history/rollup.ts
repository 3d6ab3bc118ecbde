import type { Quantity } from "../frames/frame.ts";

/** What history keeps of each quantity by hour and by day, as migrations/history says. */
export const ROLLED = {
  panelVoltageV: ["min", "max", "mean", "last"],
  panelCurrentA: ["max", "mean"],
  panelPowerW: ["max", "mean"],
  batteryVoltageV: ["min", "max", "mean", "last"],
  batteryCurrentA: ["min", "max", "mean"],
  batteryChargePercent: ["min", "max", "mean", "last"],
  batteryTemperatureC: ["min", "max", "mean"],
  loadPowerW: ["max", "mean"],
  ambientTemperatureC: ["max", "mean"],
  signalDbm: ["min", "mean"],
} as const satisfies Partial<Record<Quantity, readonly Figure[]>>;

export type Figure = "min" | "max" | "mean" | "last";
export type RolledQuantity = keyof typeof ROLLED;
export type Grain = "hour" | "day";

/** An hour or a UTC day of a device. A figure is null where the device told nothing of it. */
export interface Rollup {
  readonly startsAtMs: number;
  readonly readings: number;
  readonly figures: Readonly<Record<RolledQuantity, Readonly<Partial<Record<Figure, number | null>>>>>;
  /** Since the last reading of the period before; null when the device does not count energy. */
  readonly energyInWh: number | null;
  readonly energyOutWh: number | null;
}

/** A counter at the first and the last reading of a period. */
export interface Counter {
  readonly first: number | null;
  readonly last: number | null;
}

/**
 * Energy of a period, from a counter that only grows: since the last reading of the period before, so that what flowed between
 * two periods is in the later one. Without one before, and where the counter stands lower than it did (the device was
 * swapped or reset), only what this period saw itself.
 */
export function energyOf(before: number | null, { first, last }: Counter): number | null {
  if (first === null || last === null) return null;
  return before === null || before > last ? last - first : last - before;
}
