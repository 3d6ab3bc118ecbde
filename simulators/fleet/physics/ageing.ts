import type { Chance } from "./chance.ts";
import type { Chemistry } from "./chemistry.ts";

/** How a lithium battery ages. Cycles are equivalent full ones; both lives end at 80 % and hold at 25 °C. */
export interface LithiumAgeing {
  readonly kind: "lithium";
  readonly cyclesTo80: number;
  readonly yearsTo80: number;
  /** 0.5: like the root of throughput (Wang 2011); 1: straight. */
  readonly cycleExponent: number;
  /** Loss at which plating or loss of electrolyte begins to quicken the fade. */
  readonly kneeLoss: number;
  /** How much quicker per 5 % of further loss. */
  readonly kneeSharpness: number;
  readonly cycleActivationJ: number;
  readonly calendarActivationJ: number;
}

/** How a lead-acid battery ages: the weighted ampere-hours of Schiffer. */
export interface LeadAgeing {
  readonly kind: "lead";
  /** Full cycles in the standard test (IEC 60896). */
  readonly cyclesIec: number;
  /** Years on float at 25 °C. */
  readonly floatYears: number;
  /** Capacity that a month at half charge without a full one binds in crystals, as a share. */
  readonly sulphationPerMonth: number;
  /** Of the crystals, what becomes permanent in a month. */
  readonly hardeningPerMonth: number;
}

export interface AgeingParameters {
  readonly model: LithiumAgeing | LeadAgeing;
  /** True capacity when new, as a share of the rated one. */
  readonly capacityShareNew: number;
  /** Growth of resistance by the time a fifth of the capacity is lost, as a share. */
  readonly resistanceGrowth: number;
  /** How the rest-voltage curve bends with loss. */
  readonly curveBend: number;
}

/** Wide ranges, from cheap batteries in hot huts to good ones; no two of a fleet are the same. */
export function drawAgeing(chemistry: Chemistry, chance: Chance): AgeingParameters {
  const shared = {
    capacityShareNew: chance.between(0.96, 1.07),
    resistanceGrowth: chance.between(0.2, 1.2),
    curveBend: chance.between(-0.4, 0.4),
  };
  if (chemistry === "lead_acid")
    return {
      ...shared,
      model: {
        kind: "lead",
        cyclesIec: chance.between(150, 900),
        floatYears: chance.between(3, 12),
        sulphationPerMonth: chance.between(0.02, 0.15),
        hardeningPerMonth: chance.between(0.02, 0.2),
      },
    };
  const lfp = chemistry === "lfp";
  return {
    ...shared,
    model: {
      kind: "lithium",
      cyclesTo80: Math.exp(chance.between(Math.log(lfp ? 800 : 350), Math.log(lfp ? 5_000 : 2_500))),
      yearsTo80: chance.between(lfp ? 6 : 4, lfp ? 20 : 14),
      cycleExponent: chance.between(0.55, 1),
      kneeLoss: chance.between(0.08, 0.3),
      kneeSharpness: chance.between(0.3, 3),
      cycleActivationJ: chance.between(20_000, 40_000),
      calendarActivationJ: chance.between(35_000, 65_000),
    },
  };
}

/** What a battery lives through in one step. */
export interface Strain {
  readonly hours: number;
  /** Share of the rated capacity that flowed out. */
  readonly cycles: number;
  readonly charge: number;
  readonly temperatureC: number;
  /** Hours since it was last full. */
  readonly sinceFullHours: number;
  readonly full: boolean;
}

/** How far a battery has aged, and by what. Shares of the capacity it had when new. */
export interface Loss {
  readonly total: number;
  readonly calendar: number;
  readonly cycling: number;
  readonly sulphation: number;
}

export interface Ageing {
  live(strain: Strain): void;
  loss(): Loss;
}

const GAS_J_PER_MOL_K = 8.314;
const KELVIN = 273.15;
const HOURS_PER_YEAR = 8_766;
const HOURS_PER_MONTH = 730;

function arrhenius(temperatureC: number, activationJ: number): number {
  return Math.exp((activationJ / GAS_J_PER_MOL_K) * (1 / (25 + KELVIN) - 1 / (temperatureC + KELVIN)));
}

/**
 * Lithium: calendar loss with the root of time, by Arrhenius and charge (Naumann et al. 2018, J. Energy Storage 17, 153);
 * cycle loss with a power of throughput (Wang et al. 2011, J. Power Sources 196, 3942); past a knee the fade quickens
 * (Attia et al. 2022, J. Electrochem. Soc. 169, 060517). Both powers are taken step by step from the loss so far, so that
 * temperature and charge may change on the way.
 */
function makeLithium(model: LithiumAgeing): Ageing {
  let calendar = 1e-4;
  let cycling = 1e-4;
  let knee = 0;
  const calendarRate = (0.2 * 0.2) / 2 / (model.yearsTo80 * HOURS_PER_YEAR);
  const power = 1 / model.cycleExponent;
  const cycleRate = (model.cycleExponent * 0.2 ** power) / model.cyclesTo80;
  return {
    live({ hours, cycles, charge, temperatureC }) {
      const stress = Math.exp(1.2 * (charge - 0.5));
      calendar += (calendarRate * stress * arrhenius(temperatureC, model.calendarActivationJ) * hours) / calendar;
      if (cycles <= 0) return;
      const added = cycleRate * cycling ** (1 - power) * arrhenius(temperatureC, model.cycleActivationJ) * cycles;
      cycling += added;
      const beyond = calendar + cycling + knee - model.kneeLoss;
      // The knee feeds on itself; its rate is that of a straight fade, since a root would have slowed down by then.
      if (beyond > 0) knee += ((model.kneeSharpness * beyond) / 0.05) * (0.2 / model.cyclesTo80) * cycles;
    },
    loss: () => ({
      total: Math.min(0.98, calendar + cycling + knee),
      calendar,
      cycling: cycling + knee,
      sulphation: 0,
    }),
  };
}

/**
 * Lead-acid: corrosion with time to the power 0.6 and active mass lost by weighted ampere-hours, by Schiffer et al. (2007,
 * J. Power Sources 168, 66): low charge and a long time since the last full one weigh more. Ageing doubles per 10 °C.
 * Sulphation is kept apart from it: crystals grow while the battery is not filled, dissolve in a full charge, and harden
 * with time; the rates are this simulator's own.
 */
function makeLead(model: LeadAgeing): Ageing {
  let weightedCycles = 0;
  let corrosionYears = 0;
  let soft = 0;
  let hard = 0;
  const cycling = (): number => 0.8 * Math.exp(-5 * Math.max(0, 1 - weightedCycles / (1.6 * model.cyclesIec)));
  const corrosion = (): number => 0.2 * (corrosionYears / model.floatYears) ** 0.6;
  return {
    live({ hours, cycles, charge, temperatureC, sinceFullHours, full }) {
      const heat = 2 ** ((temperatureC - 25) / 10);
      corrosionYears += (heat * hours) / HOURS_PER_YEAR;
      const deep = 1 + 1.5 * (1 - charge) ** 2;
      const unfilled = 1 + Math.min(2, sinceFullHours / 400);
      weightedCycles += cycles * deep * unfilled * Math.sqrt(heat);
      if (full) soft *= Math.exp(-hours / 8);
      else
        soft +=
          ((model.sulphationPerMonth * hours) / HOURS_PER_MONTH) * Math.max(0, 0.9 - charge) * 2.5 * (1 - soft / 0.5);
      const hardened = ((model.hardeningPerMonth * hours) / HOURS_PER_MONTH) * soft;
      soft -= hardened;
      hard += hardened;
    },
    loss: () => ({
      total: Math.min(0.98, corrosion() + cycling() + soft + hard),
      calendar: corrosion(),
      cycling: cycling(),
      sulphation: soft + hard,
    }),
  };
}

export function makeAgeing(parameters: AgeingParameters): Ageing {
  return parameters.model.kind === "lead" ? makeLead(parameters.model) : makeLithium(parameters.model);
}
