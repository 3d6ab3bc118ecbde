/**
 * Which variable of a device is which of our quantities. Metrics, Sparkplug and every other vocabulary of names go
 * through this one table, so that a battery's voltage is one column whoever measured it.
 */
import { QUANTITIES } from "./frame.ts";
import type { Quantity } from "./frame.ts";
import { findUnit, UNITS_OF } from "./units.ts";
import type { Dimension } from "./units.ts";

/** Where the values of one variable go, and how they become what is kept: `value * factor + offset` in low..high. */
export interface Target {
  readonly name: string;
  readonly kind: "quantity" | "extra" | "timestamp" | "relative_time" | "place";
  /** Position in QUANTITIES; -1 for what is none. */
  readonly slot: number;
  readonly factor: number;
  readonly offset: number;
  readonly low: number;
  readonly high: number;
  /** What is kept is in this unit, as a complaint names it. */
  readonly unit: string;
  /** Counters are kept as whole numbers. */
  readonly whole: boolean;
}

/** What a data format, or a metric's properties, say about a variable. */
export interface VariableFacts {
  readonly unit: string | undefined;
  readonly scaleFactor: number | undefined;
  readonly type: "text" | "integer" | "float" | "bool" | "gps" | undefined;
  readonly isSummed: boolean;
}

export type TargetAnswer =
  { readonly ok: true; readonly target: Target } | { readonly ok: false; readonly detail: string };

interface Kind {
  readonly dimension: Dimension;
  readonly unit: string;
  /** What no device of this trade can measure is a wrong unit or a broken sensor. */
  readonly low: number;
  readonly high: number;
}

const voltage: Kind = { dimension: "voltage", unit: "V", low: -5, high: 1_500 };
const current: Kind = { dimension: "current", unit: "A", low: -2_000, high: 2_000 };
const power: Kind = { dimension: "power", unit: "W", low: -1_000_000, high: 1_000_000 };
const temperature: Kind = { dimension: "temperature", unit: "°C", low: -60, high: 200 };
/** Past any meter's register, and exact as a number. */
const energy: Kind = { dimension: "energy", unit: "Wh", low: 0, high: 1e12 };

const KINDS: Readonly<Record<Quantity, Kind>> = {
  panelVoltageV: voltage,
  panelCurrentA: current,
  panelPowerW: power,
  batteryVoltageV: voltage,
  batteryCurrentA: current,
  // Gauges overshoot a little when a battery is full.
  batteryChargePercent: { dimension: "share", unit: "%", low: 0, high: 110 },
  batteryTemperatureC: temperature,
  loadCurrentA: current,
  loadPowerW: power,
  ambientTemperatureC: temperature,
  energyInWh: energy,
  energyOutWh: energy,
  // No receiver in the field hears more than a milliwatt; what is above is a modem's CSQ without its unit.
  signalDbm: { dimension: "signal", unit: "dBm", low: -200, high: 0 },
};

/**
 * Names in the field, and the sign that makes them ours. OpenPAYGO Metrics describes `battery_current` as "the current
 * coming out of the battery, negative means it is charging"; we keep it the other way round. The names of our own columns
 * (`battery_current_a`) keep our own sign.
 */
const NAMES: Readonly<Record<Quantity, Readonly<Record<string, 1 | -1>>>> = {
  panelVoltageV: { panel_voltage: 1, pv_voltage: 1, solar_voltage: 1, solar_panel_voltage: 1, panel_voltage_v: 1 },
  panelCurrentA: { panel_current: 1, pv_current: 1, solar_current: 1, solar_panel_current: 1, panel_current_a: 1 },
  panelPowerW: { panel_power: 1, pv_power: 1, solar_power: 1, solar_panel_power: 1, panel_power_w: 1 },
  batteryVoltageV: { battery_voltage: 1, batt_voltage: 1, bat_voltage: 1, battery_voltage_v: 1 },
  batteryCurrentA: {
    battery_current: -1,
    battery_discharge_current: -1,
    battery_charge_current: 1,
    battery_charging_current: 1,
    battery_current_a: 1,
  },
  batteryChargePercent: {
    battery_charge: 1,
    battery_level: 1,
    battery_percent: 1,
    battery_soc: 1,
    battery_state_of_charge: 1,
    state_of_charge: 1,
    soc: 1,
    battery_charge_percent: 1,
  },
  batteryTemperatureC: { battery_temperature: 1, battery_temp: 1, battery_temperature_c: 1 },
  loadCurrentA: { load_current: 1, output_current: 1, load_current_a: 1 },
  loadPowerW: { load_power: 1, output_power: 1, load_power_w: 1 },
  ambientTemperatureC: { ambient_temperature: 1, ambient_temp: 1, ambient_temperature_c: 1 },
  energyInWh: { energy_in: 1, panel_energy: 1, pv_energy: 1, solar_energy: 1, energy_generated: 1, energy_in_wh: 1 },
  energyOutWh: { energy_out: 1, load_energy: 1, energy_consumed: 1, energy_used: 1, energy_out_wh: 1 },
  signalDbm: { signal: 1, signal_strength: 1, rssi: 1, gsm_signal: 1, signal_dbm: 1 },
};

interface Known {
  readonly quantity: Quantity;
  readonly sign: 1 | -1;
}

const KNOWN: ReadonlyMap<string, Known> = new Map(
  QUANTITIES.flatMap((quantity) =>
    Object.entries(NAMES[quantity]).map(([name, sign]): [string, Known] => [name, { quantity, sign }]),
  ),
);

/** The name OpenPAYGO Metrics would give a quantity, and the sign there. */
export function metricsNameOf(quantity: Quantity): { readonly name: string; readonly sign: 1 | -1 } {
  const [first = [quantity, 1 as const]] = Object.entries(NAMES[quantity]);
  return { name: first[0], sign: first[1] };
}

const PLAIN: ReadonlyMap<string, Target> = new Map(
  [...KNOWN].map(([name, known]): [string, Target] => [name, quantityTarget(name, known, { factor: 1, offset: 0 })]),
);

const TIMESTAMP = otherTarget("timestamp", "timestamp");
const RELATIVE_TIME = otherTarget("relative_time", "relative_time");

/** The target of a name about which nothing more is said; undefined for names that are no quantity of ours. */
export function findPlainTarget(name: string): Target | undefined {
  if (name === "timestamp") return TIMESTAMP;
  if (name === "relative_time") return RELATIVE_TIME;
  return PLAIN.get(name);
}

/**
 * The target of a variable, given what is said about it. Refuses a unit that does not measure the quantity of that name:
 * a voltage in amperes would otherwise sit in the wrong column for years.
 */
export function targetOf(name: string, facts: VariableFacts): TargetAnswer {
  const scale = facts.scaleFactor ?? 1;
  const plain = findPlainTarget(name);
  if (facts.type === "gps") return { ok: true, target: otherTarget(name, "place") };
  if (plain !== undefined && plain.kind !== "quantity") return { ok: true, target: plain };
  const known = KNOWN.get(name);
  // Amounts of each interval are not a counter, whatever they are called; a text or a flag is no measure.
  if (known === undefined || facts.type === "text" || facts.type === "bool" || isAmount(known, facts)) {
    return { ok: true, target: otherTarget(name, "extra", scale) };
  }
  const { dimension } = KINDS[known.quantity];
  if (facts.unit === undefined || facts.unit.trim() === "") {
    return { ok: true, target: quantityTarget(name, known, { factor: scale, offset: 0 }) };
  }
  const unit = findUnit(facts.unit);
  if (unit === undefined || unit.dimension !== dimension) {
    const said = unit === undefined ? "which is no unit we know" : `which measures ${unit.dimension}`;
    return {
      ok: false,
      detail: `Variable ${name} is said to be in "${facts.unit.slice(0, 32)}", ${said}; it must come in ${UNITS_OF[dimension]}.`,
    };
  }
  return {
    ok: true,
    target: quantityTarget(name, known, { factor: scale * unit.factor, offset: unit.offset }),
  };
}

/** A target of a quantity for an adapter that has a table of its own; `factor` turns its values into ours. */
export function quantityOf(name: string, quantity: Quantity, factor: number): Target {
  return quantityTarget(name, { quantity, sign: 1 }, { factor, offset: 0 });
}

function isAmount(known: Known, facts: VariableFacts): boolean {
  return facts.isSummed && KINDS[known.quantity].dimension === "energy";
}

function quantityTarget(name: string, known: Known, by: { factor: number; offset: number }): Target {
  const { low, high, unit, dimension } = KINDS[known.quantity];
  return {
    name,
    kind: "quantity",
    slot: QUANTITIES.indexOf(known.quantity),
    factor: by.factor * known.sign,
    // Not -0, which would make every 0 of a turned current a -0.
    offset: by.offset === 0 ? 0 : by.offset * known.sign,
    low,
    high,
    unit,
    whole: dimension === "energy",
  };
}

function otherTarget(name: string, kind: Target["kind"], factor = 1): Target {
  const nothing = { slot: -1, offset: 0, low: -Infinity, high: Infinity, unit: "", whole: false };
  return { name, kind, factor, ...nothing };
}
