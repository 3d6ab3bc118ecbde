import type { Chance } from "./chance.ts";

/** How well a device measures. Gains are shares (0.01 reads one percent too much). */
export interface MeterQuality {
  readonly currentGain: number;
  readonly currentOffsetA: number;
  readonly currentStepA: number;
  readonly voltageGain: number;
  readonly voltageStepV: number;
  readonly temperatureOffsetC: number;
  /** Tells the mean since the last report; else the value of the moment. */
  readonly averages: boolean;
}

/** Cheap shunts and dividers, as they come; `scaleA` is a current that the system often sees. */
export function drawMeter(scaleA: number, chance: Chance): MeterQuality {
  return {
    currentGain: 0.012 * chance.normal(),
    currentOffsetA: 0.002 * scaleA * chance.normal(),
    currentStepA: scaleA > 5 ? 0.02 : 0.01,
    voltageGain: 0.003 * chance.normal(),
    voltageStepV: chance.happens(0.7) ? 0.01 : 0.02,
    temperatureOffsetC: 0.8 * chance.normal(),
    averages: chance.happens(0.7),
  };
}

export function rounded(value: number, step: number): number {
  return Math.round(Math.round(value / step) * step * 1e6) / 1e6;
}

export function measuredCurrent(meter: MeterQuality, trueA: number, chance: Chance): number {
  const noisy = trueA * (1 + meter.currentGain) + meter.currentOffsetA + 0.4 * meter.currentStepA * chance.normal();
  return rounded(noisy, meter.currentStepA);
}

export function measuredVoltage(meter: MeterQuality, trueV: number, chance: Chance): number {
  return Math.max(
    0,
    rounded(trueV * (1 + meter.voltageGain) + 0.3 * meter.voltageStepV * chance.normal(), meter.voltageStepV),
  );
}

export function measuredTemperature(meter: MeterQuality, trueC: number, chance: Chance): number {
  return rounded(trueC + meter.temperatureOffsetC + 0.2 * chance.normal(), 0.5);
}
