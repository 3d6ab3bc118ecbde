import type { Chance } from "./chance.ts";

export type Chemistry = "lead_acid" | "lfp" | "li_ion";

/** What one cell of a kind is like before chance makes it one of many. Volts per cell; ohms of a cell of one ampere-hour. */
export interface CellKind {
  readonly cells: number;
  readonly absorptionV: number;
  readonly floatV: number;
  readonly cutOffV: number;
  readonly reconnectV: number;
  readonly resistanceOhmAh: readonly [number, number];
  /** Volts of a cell at one times its capacity per hour, that the last percents need besides: see the battery's taper. */
  readonly taper: number;
  readonly chargeEfficiency: readonly [number, number];
  readonly selfDischargePerMonth: readonly [number, number];
  /** Loss of usable capacity per degree below 25 °C. */
  readonly coldLossPerC: readonly [number, number];
  /** Resistance grows by exp(this · degrees of cold), and shrinks so in the heat. */
  readonly resistancePerDegree: readonly [number, number];
  /** Half the gap between the rest voltages after charging and after discharging. */
  readonly hysteresisV: number;
}

/**
 * Round figures of data sheets; what differs from battery to battery is a range, drawn anew for each. None of the ranges has the
 * estimator's figure in its middle, so that a battery like its assumptions is an exception here, as it is in the field.
 */
export const CELL_KINDS: Readonly<Record<Chemistry, CellKind>> = {
  lead_acid: {
    cells: 6,
    absorptionV: 2.4,
    floatV: 2.28,
    cutOffV: 1.9,
    reconnectV: 2.1,
    resistanceOhmAh: [0.03, 0.09],
    taper: 0.48,
    chargeEfficiency: [0.87, 0.95],
    selfDischargePerMonth: [0.02, 0.06],
    coldLossPerC: [0.005, 0.011],
    resistancePerDegree: [0.008, 0.02],
    hysteresisV: 0.004,
  },
  lfp: {
    cells: 4,
    absorptionV: 3.55,
    floatV: 3.4,
    cutOffV: 2.9,
    reconnectV: 3.2,
    resistanceOhmAh: [0.04, 0.13],
    taper: 0.002,
    chargeEfficiency: [0.985, 0.999],
    selfDischargePerMonth: [0.01, 0.03],
    coldLossPerC: [0.003, 0.009],
    resistancePerDegree: [0.015, 0.035],
    hysteresisV: 0.01,
  },
  li_ion: {
    cells: 3,
    absorptionV: 4.15,
    floatV: 4.08,
    cutOffV: 3.2,
    reconnectV: 3.6,
    resistanceOhmAh: [0.05, 0.15],
    taper: 0.002,
    chargeEfficiency: [0.985, 0.999],
    selfDischargePerMonth: [0.01, 0.03],
    coldLossPerC: [0.003, 0.009],
    resistancePerDegree: [0.015, 0.035],
    hysteresisV: 0.002,
  },
};

const TABLE_STEPS = 400;

/** Volts of one cell at rest for a share of its charge, 0 to 1. `ageBend` is what ageing did to the curve. */
export type OpenCircuit = (share: number, ageBend: number) => number;

/**
 * The rest voltage of one cell, a little different for each battery.
 *
 * Lead-acid: density of the acid plus 0.845 (Vinal 1955, Storage Batteries), the density linear in charge. Li-ion: the fit
 * of Chen and Rincón-Mora (2006, IEEE Trans. Energy Conversion 21, 504). LFP: positive and negative electrode by Safari and
 * Delacourt (2011, J. Electrochem. Soc. 158, A562), so that its steps are where graphite has them. `ageBend` moves charge
 * along the curve as a battery loses capacity: electrodes do not age in step.
 */
export function makeOpenCircuit(chemistry: Chemistry, chance: Chance): OpenCircuit {
  const plain = plainCurve(chemistry, chance);
  const offsetV = 0.004 * chance.normal();
  const table = Float64Array.from({ length: TABLE_STEPS + 1 }, (_, step) => plain(step / TABLE_STEPS) + offsetV);
  return (share, ageBend) => {
    const within = Math.min(1, Math.max(0, share));
    const bent = Math.min(1, Math.max(0, within + ageBend * within * (1 - within)));
    const at = bent * TABLE_STEPS;
    const below = Math.min(TABLE_STEPS - 1, Math.floor(at));
    const low = table[below] ?? 0;
    return low + ((table[below + 1] ?? low) - low) * (at - below);
  };
}

function plainCurve(chemistry: Chemistry, chance: Chance): (share: number) => number {
  switch (chemistry) {
    case "lead_acid": {
      const empty = chance.between(1.08, 1.14);
      const full = chance.between(1.265, 1.3);
      return (share) => 0.845 + empty + (full - empty) * share;
    }
    case "li_ion": {
      const stretch = chance.between(0.95, 1.05);
      return (share) =>
        3.685 -
        1.031 * Math.exp(-35 * share) +
        stretch * (0.2156 * share - 0.1178 * share * share + 0.3201 * share ** 3);
    }
    case "lfp": {
      const graphiteEmpty = chance.between(0.005, 0.03);
      const graphiteFull = chance.between(0.75, 0.85);
      return (share) => {
        const graphite = graphiteEmpty + (graphiteFull - graphiteEmpty) * share;
        const negativeV =
          0.6379 +
          0.5416 * Math.exp(-305.5309 * graphite) +
          0.044 * Math.tanh(-(graphite - 0.1958) / 0.1088) -
          0.1978 * Math.tanh((graphite - 1.0571) / 0.0854) -
          0.6875 * Math.tanh((graphite + 0.0117) / 0.0529) -
          0.0175 * Math.tanh((graphite - 0.5692) / 0.0875);
        const positiveV = 3.4323 - 0.8428 * Math.exp(-80.2493 * (0.015 + 0.97 * share) ** 1.3198);
        return positiveV - negativeV + 0.03 * Math.exp((share - 1) / 0.015);
      };
    }
  }
}
