import { makeAgeing, type AgeingParameters } from "./ageing.ts";
import { makeChance } from "./chance.ts";
import { CELL_KINDS, type Chemistry } from "./chemistry.ts";
import { makeBattery } from "./battery.ts";
import type { Fault } from "./faults.ts";
import { makeLoad, type LoadHabit } from "./habit.ts";
import { measuredCurrent, measuredTemperature, measuredVoltage, type MeterQuality } from "./meter.ts";
import { clearSkyIrradiance, cosineOfZenith, makeWeather, type Place } from "./sun.ts";

/** One solar home system. Everything that `drawSystem` leaves to chance may be given here. */
export interface SystemOptions {
  /** The same seed and options live the same life, however `advance` is called with the same instants. */
  readonly seed: number;
  readonly place: Place;
  readonly chemistry: Chemistry;
  readonly capacityAh: number;
  /** Cells in series; the usual number of a 12 V system when not given. */
  readonly cells?: number;
  readonly panelW: number;
  readonly habit: LoadHabit;
  readonly ageing: AgeingParameters;
  readonly meter: MeterQuality;
  readonly fault?: Fault | undefined;
  /** When the battery is new and full, in Unix milliseconds. */
  readonly startMs: number;
  /** How finely it lives; ten minutes when not given. */
  readonly stepMinutes?: number;
}

/** What the device's meter tells at one moment; names and signs as in a reading. */
export interface Measurement {
  readonly atMs: number;
  readonly panelVoltageV: number;
  /** Of the panel itself: a tracking charger gives the battery more amperes than that, at fewer volts. */
  readonly panelCurrentA: number;
  readonly panelPowerW: number;
  readonly batteryVoltageV: number;
  readonly batteryCurrentA: number;
  readonly batteryChargePercent: number;
  readonly batteryTemperatureC: number;
  readonly loadCurrentA: number;
  readonly loadPowerW: number;
  readonly energyInWh: number;
  readonly energyOutWh: number;
}

/** What nobody in the field can see. */
export interface Truth {
  /** Capacity at 25 °C as a share of the rated one. */
  readonly stateOfHealth: number;
  /** The same as a share of what this very battery held when new. */
  readonly shareOfNew: number;
  readonly capacityAh: number;
  readonly resistanceOhm: number;
  /** Share of what the battery now holds, 0 to 1. */
  readonly charge: number;
  /** Share lost to each cause so far. */
  readonly lost: { readonly calendar: number; readonly cycling: number; readonly sulphation: number };
  /** Why it is failing or does not do its work; undefined while all is well. */
  readonly cause: "worn" | "sulphated" | "shaded" | "cell_lost" | "sensor_broken" | "hot" | undefined;
  readonly disconnected: boolean;
}

export interface SolarSystem {
  /** Lives until the instant and measures. Instants must not go back; one that does measures without living. */
  advance(toMs: number): Measurement;
  truth(): Truth;
  /** A PAYGO lock: the outputs are off, the panel still charges. */
  setLocked(locked: boolean): void;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const MONTH_HOURS = 730;

/** What dust, wiring and a panel warmer than its label leave of its rated power. */
const PANEL_DERATING = 0.85;
/** What a tracking charger passes on of the panel's power, and at which multiple of the battery's usual voltage it holds the panel. */
const TRACKER_EFFICIENCY = 0.95;
const TRACKER_VOLTAGE = 1.35;

/** A pure simulation: no clock, no chance but the seed's. See docs/battery-health.md for the model and its sources. */
export function makeSystem(options: SystemOptions): SolarSystem {
  const { seed, place, chemistry, fault, meter } = options;
  const drawn = makeChance(seed, "build");
  const noise = makeChance(seed, "meter");
  const weather = makeWeather(place, makeChance(seed, "weather"));
  const load = makeLoad(options.habit, place.timezone, makeChance(seed, "load"));
  const kind = CELL_KINDS[chemistry];
  const cells = options.cells ?? kind.cells;
  const nominalV = kind.floatV * cells;
  const tracks = drawn.happens(0.4);
  const trackedV = TRACKER_VOLTAGE * nominalV;
  const warmthC = drawn.between(0.5, 5);
  const roofC = drawn.between(0, 6);
  const boardW = drawn.between(0.05, 0.25);
  const ageing = makeAgeing(options.ageing);
  const battery = makeBattery({
    chemistry,
    cells,
    capacityAh: options.capacityAh,
    ageing,
    parameters: options.ageing,
    chance: drawn,
  });
  const stepMs = (options.stepMinutes ?? 10) * MINUTE_MS;

  let nowMs = options.startMs;
  let locked = false;
  let disconnected = false;
  let temperatureC = Number.NaN;
  let sensedPercent = 100;
  let energyInWh = 0;
  let energyOutWh = 0;
  let stuckA: number | undefined;
  let last = { panelV: 0, panelA: 0, batteryV: battery.voltage(), batteryA: 0, loadA: 0, temperatureC: 25 };
  let sums = { hours: 0, panelV: 0, panelA: 0, batteryV: 0, batteryA: 0, loadA: 0 };

  const since = <Kind extends Fault["kind"]>(name: Kind): Extract<Fault, { kind: Kind }> | undefined =>
    fault?.kind === name && nowMs >= fault.atMs ? (fault as Extract<Fault, { kind: Kind }>) : undefined;

  const step = (toMs: number): void => {
    const hours = (toMs - nowMs) / HOUR_MS;
    const middleMs = (toMs + nowMs) / 2;
    const { clearness, airC } = weather.at(middleMs);
    const sun = clearSkyIrradiance(cosineOfZenith(place, middleMs)) * clearness;
    const targetC = airC + warmthC + (roofC * sun) / 900 + (since("hot")?.aboveC ?? 0);
    temperatureC = Number.isNaN(temperatureC)
      ? targetC
      : temperatureC + (targetC - temperatureC) * (1 - Math.exp(-hours / 2));

    const heatLoss = 1 - 0.004 * Math.max(0, airC + sun / 32 - 25);
    const panelW = (options.panelW * PANEL_DERATING * heatLoss * sun * (since("shaded")?.keptShare ?? 1)) / 1_000;
    const beforeV = Math.max(0.5 * nominalV, battery.voltage());
    // A tracking charger gives power at any voltage; a plain switch gives the panel's current, whatever is lost on the way.
    const offeredA = tracks ? (panelW * TRACKER_EFFICIENCY) / beforeV : panelW / (1.4 * nominalV);
    const wantedW = boardW + (locked || disconnected ? 0 : load.wattsAt(middleMs));
    const wantedA = wantedW / beforeV;
    const cellLost = since("cell_lost");
    if (cellLost !== undefined) battery.loseCell(cellLost.keptShare);
    const batteryA = battery.live({ offeredA: offeredA - wantedA, hours, temperatureC });
    const batteryV = battery.voltage();
    // An empty battery gives less than is wanted, and nothing else gives it.
    const loadA = Math.min(wantedA, Math.max(0, offeredA - batteryA));
    const chargerA = Math.max(0, batteryA + loadA);
    if (batteryV < kind.cutOffV * cells || battery.empty()) disconnected = true;
    else if (batteryV > kind.reconnectV * cells) disconnected = false;

    const panelV =
      sun <= 1 ? 0 : tracks ? trackedV : Math.max(batteryV + 0.4, chargerA < 0.95 * offeredA ? 1.5 * nominalV : 0);
    const panelA = tracks ? (chargerA * batteryV) / (TRACKER_EFFICIENCY * trackedV) : chargerA;
    last = { panelV, panelA, batteryV, batteryA, loadA, temperatureC };
    sums.hours += hours;
    sums.panelV += panelV * hours;
    sums.panelA += panelA * hours;
    sums.batteryV += batteryV * hours;
    sums.batteryA += batteryA * hours;
    sums.loadA += loadA * hours;
    energyInWh += chargerA * batteryV * hours;
    energyOutWh += (disconnected || locked ? 0 : loadA) * batteryV * hours;
    const countedA = sensedCurrent(batteryA) - (0.02 * options.capacityAh) / MONTH_HOURS;
    sensedPercent += (100 * countedA * hours) / options.capacityAh;
    if (battery.full()) sensedPercent = 100;
    if (disconnected) sensedPercent = Math.min(sensedPercent, 5);
    sensedPercent = Math.min(100, Math.max(0, sensedPercent));
    nowMs = toMs;
  };

  const sensedCurrent = (trueA: number): number => {
    const broken = since("sensor_broken");
    if (broken === undefined) return trueA * (1 + meter.currentGain) + meter.currentOffsetA;
    stuckA ??= trueA;
    return broken.reads === "zero" ? 0 : broken.reads === "stuck" ? stuckA : 0.33 * trueA;
  };

  return {
    advance(toMs) {
      while (nowMs < toMs) step(Math.min(toMs, nowMs + stepMs));
      const told = meter.averages && sums.hours > 0 ? mean(sums) : last;
      sums = { hours: 0, panelV: 0, panelA: 0, batteryV: 0, batteryA: 0, loadA: 0 };
      const batteryVoltageV = measuredVoltage(meter, told.batteryV, noise);
      const panelVoltageV = measuredVoltage(meter, told.panelV, noise);
      const panelCurrentA = Math.max(0, measuredCurrent(meter, told.panelA, noise));
      const loadCurrentA = Math.max(0, measuredCurrent(meter, told.loadA, noise));
      const broken = since("sensor_broken") !== undefined;
      const truePart = broken ? sensedCurrent(told.batteryA) : told.batteryA;
      const steadyA = broken && fault?.kind === "sensor_broken" && fault.reads !== "third";
      return {
        atMs: toMs,
        panelVoltageV,
        panelCurrentA,
        // A plain switch knows no other voltage than the battery's.
        panelPowerW: tenths(panelCurrentA * (tracks ? trackedV * (1 + meter.voltageGain) : batteryVoltageV)),
        batteryVoltageV,
        batteryCurrentA: steadyA ? Math.round(truePart * 100) / 100 : measuredCurrent(meter, truePart, noise),
        batteryChargePercent: Math.round(sensedPercent),
        batteryTemperatureC: measuredTemperature(meter, last.temperatureC, noise),
        loadCurrentA,
        loadPowerW: tenths(loadCurrentA * batteryVoltageV),
        energyInWh: Math.floor(energyInWh),
        energyOutWh: Math.floor(energyOutWh),
      };
    },
    truth() {
      const stateOfHealth = battery.capacityAh() / options.capacityAh;
      const { calendar, cycling, sulphation } = ageing.loss();
      const worn =
        stateOfHealth / options.ageing.capacityShareNew >= 0.8
          ? undefined
          : sulphation > calendar + cycling
            ? "sulphated"
            : "worn";
      return {
        stateOfHealth,
        shareOfNew: stateOfHealth / options.ageing.capacityShareNew,
        capacityAh: battery.capacityAh(),
        resistanceOhm: battery.resistanceOhm(),
        charge: battery.charge(),
        lost: { calendar, cycling, sulphation },
        cause:
          fault !== undefined && nowMs >= fault.atMs && (fault.kind !== "hot" || worn !== undefined)
            ? fault.kind
            : worn,
        disconnected,
      };
    },
    setLocked(now) {
      locked = now;
    },
  };
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function mean(sums: {
  hours: number;
  panelV: number;
  panelA: number;
  batteryV: number;
  batteryA: number;
  loadA: number;
}) {
  const { hours } = sums;
  return {
    panelV: sums.panelV / hours,
    panelA: sums.panelA / hours,
    batteryV: sums.batteryV / hours,
    batteryA: sums.batteryA / hours,
    loadA: sums.loadA / hours,
  };
}
