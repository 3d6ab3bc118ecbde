/** The kinds of battery that are understood. */
export const CHEMISTRIES = ["lead_acid", "lfp", "li_ion"] as const;
export type Chemistry = (typeof CHEMISTRIES)[number];

/** What is known of the battery in a device, from its data sheet. */
export interface BatterySpec {
  readonly chemistry: Chemistry;
  readonly ratedAh: number;
  /** Cells in series: 6 for a 12 V lead battery, 4 for a 12.8 V LFP pack. */
  readonly cells: number;
}

/** What holds for every battery of a kind. Volts are per cell, currents in shares of the rated capacity per hour. */
export interface ChemistryFacts {
  /** Voltages that a meter may tell; anything else is the meter's fault. */
  readonly plausibleV: readonly [number, number];
  /** Charged by a charger that holds the voltage here or above … */
  readonly fullV: number;
  /** … while less than this flows: the taper. */
  readonly fullTaper: number;
  /** How far below the voltage of charging the float lies, as a share. */
  readonly floatBelowHeld: number;
  /** How far from full a battery may be that looks full, as a deviation in shares: lead takes its last percents for hours. */
  readonly fullError: number;
  /** At or below it under load, the device is about to cut off or has. */
  readonly emptyV: number;
  readonly chargeEfficiency: number;
  /** Usable capacity lost per degree below 25 °C, as a share. */
  readonly coldLossPerC: number;
  /** Rest voltage at charges 0, 0.1, … 1. */
  readonly restV: readonly number[];
  /** How far a capacity by that table is off from battery to battery, as a share: makers' curves differ. */
  readonly tableError: number;
  /** Below this charge a discharge is deep. */
  readonly deepBelow: number;
  /** Share of the capacity that a night should not exceed, for a long life. */
  readonly depthAdvised: number;
}

/**
 * Round figures from data sheets and handbooks, none of them fitted to a fleet.
 *
 * Lead-acid: full at 2.25 V and above with a taper below C/65 (IEC 60896 and IEEE 1188 call a battery full when the current
 * on float no longer falls); rest voltages of the usual tables for 12 V batteries; 0.6 % of capacity per degree (IEC 60896-11);
 * at most half of the capacity a day, as makers of lead batteries advise for a long life.
 * LFP and Li-ion (NMC with graphite): end of charge 3.45 and 4.1 V and above at below C/30; rest voltages after Baccouche et al. 2017
 * (Energies 10, 764) for NMC and the flat tables of LFP makers.
 */
export const CHEMISTRY_FACTS: Readonly<Record<Chemistry, ChemistryFacts>> = {
  lead_acid: {
    plausibleV: [1.2, 2.9],
    fullV: 2.25,
    fullTaper: 0.015,
    floatBelowHeld: 0.06,
    fullError: 0.05,
    emptyV: 1.92,
    chargeEfficiency: 0.93,
    coldLossPerC: 0.006,
    restV: [1.94, 1.955, 1.972, 1.99, 2.005, 2.022, 2.04, 2.058, 2.075, 2.095, 2.12],
    tableError: 0.12,
    deepBelow: 0.4,
    depthAdvised: 0.5,
  },
  lfp: {
    plausibleV: [1.5, 4.2],
    fullV: 3.38,
    fullTaper: 0.04,
    floatBelowHeld: 0.05,
    fullError: 0.015,
    emptyV: 2.95,
    chargeEfficiency: 0.995,
    coldLossPerC: 0.004,
    restV: [2.8, 3.18, 3.22, 3.25, 3.275, 3.285, 3.29, 3.31, 3.32, 3.325, 3.38],
    tableError: 0.25,
    deepBelow: 0.15,
    depthAdvised: 0.8,
  },
  li_ion: {
    plausibleV: [2, 4.6],
    fullV: 4.05,
    fullTaper: 0.04,
    floatBelowHeld: 0.02,
    fullError: 0.015,
    emptyV: 3.28,
    chargeEfficiency: 0.995,
    coldLossPerC: 0.004,
    restV: [3.2, 3.5, 3.58, 3.62, 3.65, 3.69, 3.76, 3.84, 3.93, 4.03, 4.13],
    tableError: 0.12,
    deepBelow: 0.15,
    depthAdvised: 0.8,
  },
};

/** End of life: the usual four fifths of the rated capacity (IEEE 1188 and IEEE 450; IEC 62660-1 for traction cells). */
export const END_OF_LIFE = 0.8;

/** The charge at which a cell of the kind rests at the voltage, 0 to 1, between entries by a straight line. */
export function chargeAtRest(chemistry: Chemistry, cellV: number): { charge: number; slopeV: number } {
  const table = CHEMISTRY_FACTS[chemistry].restV;
  let at = table.findIndex((volts) => volts > cellV);
  at = at < 0 ? table.length - 1 : Math.max(1, at);
  const [low = 0, high = 0] = [table[at - 1], table[at]];
  const charge = (at - 1 + (cellV - low) / (high - low)) / (table.length - 1);
  return { charge: Math.min(1, Math.max(0, charge)), slopeV: (high - low) * (table.length - 1) };
}
