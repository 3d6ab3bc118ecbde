/** Units that devices measure in, and how each becomes the one that readings are kept in. */

export type Dimension = "voltage" | "current" | "power" | "energy" | "temperature" | "share" | "signal";

/** `kept = measured * factor + offset`; kept in V, A, W, Wh, °C, % and dBm. */
export interface Unit {
  readonly dimension: Dimension;
  readonly factor: number;
  readonly offset: number;
}

/** A unit by the name that a data format or a Sparkplug property gives it; undefined for one that is not known. */
export function findUnit(text: string): Unit | undefined {
  const trimmed = text.trim();
  return EXACT.get(trimmed) ?? WORDS.get(trimmed.toLowerCase());
}

/** The units that a dimension may come in, for a complaint. */
export const UNITS_OF: Readonly<Record<Dimension, string>> = {
  voltage: "V, mV or kV",
  current: "A, mA or kA",
  power: "W, mW, kW or MW",
  energy: "Wh, mWh, kWh, MWh, J, kJ or MJ",
  temperature: "°C, °F or K",
  share: "% or ratio",
  signal: "dBm or CSQ",
};

const unit = (dimension: Dimension, factor = 1, offset = 0): Unit => ({ dimension, factor, offset });

const volt = unit("voltage");
const millivolt = unit("voltage", 0.001);
const ampere = unit("current");
const milliampere = unit("current", 0.001);
const watt = unit("power");
const kilowatt = unit("power", 1_000);
const wattHour = unit("energy");
const kilowattHour = unit("energy", 1_000);
const celsius = unit("temperature");
const fahrenheit = unit("temperature", 5 / 9, -160 / 9);
const kelvin = unit("temperature", 1, -273.15);
const percent = unit("share");
const ratio = unit("share", 100);
const dbm = unit("signal");
/** The answer of modems to AT+CSQ, 0..31 (3GPP TS 27.007 §8.5): -113 dBm and 2 dB a step. */
const csq = unit("signal", 2, -113);

/** Symbols whose case counts: a milliwatt is not a megawatt. */
const EXACT: ReadonlyMap<string, Unit> = new Map([
  ["V", volt],
  ["mV", millivolt],
  ["kV", unit("voltage", 1_000)],
  ["A", ampere],
  ["mA", milliampere],
  ["kA", unit("current", 1_000)],
  ["W", watt],
  ["mW", unit("power", 0.001)],
  ["kW", kilowatt],
  ["MW", unit("power", 1_000_000)],
  ["Wh", wattHour],
  ["mWh", unit("energy", 0.001)],
  ["kWh", kilowattHour],
  ["MWh", unit("energy", 1_000_000)],
  ["J", unit("energy", 1 / 3_600)],
  ["kJ", unit("energy", 1 / 3.6)],
  ["MJ", unit("energy", 1_000 / 3.6)],
  ["C", celsius],
  ["°C", celsius],
  ["℃", celsius],
  ["F", fahrenheit],
  ["°F", fahrenheit],
  ["℉", fahrenheit],
  ["K", kelvin],
  ["%", percent],
]);

/** Words, and symbols that mean one thing in any case. */
const WORDS: ReadonlyMap<string, Unit> = new Map([
  ["v", volt],
  ["volt", volt],
  ["volts", volt],
  ["vdc", volt],
  ["mv", millivolt],
  ["millivolt", millivolt],
  ["millivolts", millivolt],
  ["a", ampere],
  ["amp", ampere],
  ["amps", ampere],
  ["ampere", ampere],
  ["amperes", ampere],
  ["ma", milliampere],
  ["milliamp", milliampere],
  ["milliamps", milliampere],
  ["w", watt],
  ["watt", watt],
  ["watts", watt],
  ["kw", kilowatt],
  ["kilowatt", kilowatt],
  ["kilowatts", kilowatt],
  ["wh", wattHour],
  ["watt-hour", wattHour],
  ["watt-hours", wattHour],
  ["kwh", kilowattHour],
  ["kilowatt-hour", kilowattHour],
  ["kilowatt-hours", kilowattHour],
  ["degc", celsius],
  ["celsius", celsius],
  ["degrees celsius", celsius],
  ["degf", fahrenheit],
  ["fahrenheit", fahrenheit],
  ["degrees fahrenheit", fahrenheit],
  ["kelvin", kelvin],
  ["percent", percent],
  ["ratio", ratio],
  ["fraction", ratio],
  ["dbm", dbm],
  ["csq", csq],
]);
