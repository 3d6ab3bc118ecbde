import type { Ageing, AgeingParameters } from "./ageing.ts";
import type { Chance } from "./chance.ts";
import { CELL_KINDS, makeOpenCircuit, type Chemistry } from "./chemistry.ts";

/** A battery between charger and load. Volts of the whole battery; a current above zero charges. */
export interface Battery {
  /**
   * Takes or gives for some hours and ages by it.
   *
   * @returns the amperes that really flowed: the charger holds the voltage, so a full battery takes less than is offered, and an
   * empty one gives less than is asked.
   */
  live(step: { readonly offeredA: number; readonly hours: number; readonly temperatureC: number }): number;
  voltage(): number;
  /** Capacity at 25 °C. */
  capacityAh(): number;
  /** Ohmic part only, at 25 °C and half charge. */
  resistanceOhm(): number;
  charge(): number;
  full(): boolean;
  empty(): boolean;
  /** One string or cell fails, once and for good. */
  loseCell(keptShare: number): void;
}

interface BatteryOptions {
  readonly chemistry: Chemistry;
  readonly cells: number;
  readonly capacityAh: number;
  readonly ageing: Ageing;
  readonly parameters: AgeingParameters;
  readonly chance: Chance;
}

const MONTH_HOURS = 730;

/** The shape of a resistance that rises as the battery empties, and more so as it cools. */
function resistanceFactor(charge: number, coldness: number): number {
  return (1 + 0.6 * Math.exp(-charge / 0.12)) * Math.exp(coldness);
}

/**
 * A voltage source with a resistance, one slow polarisation and a small hysteresis: the usual equivalent circuit (Plett
 * 2015, Battery Management Systems I, chapter 2). Charging holds the absorption voltage, then the float voltage; near full
 * a battery takes less and less (the taper).
 */
export function makeBattery({ chemistry, cells, capacityAh, ageing, parameters, chance }: BatteryOptions): Battery {
  const kind = CELL_KINDS[chemistry];
  const openCircuit = makeOpenCircuit(chemistry, chance);
  const newOhm = (chance.between(...kind.resistanceOhmAh) * cells) / capacityAh;
  const slowShare = chance.between(0.4, 1.2);
  const slowHours = chance.between(0.4, 2);
  const chargeEfficiency = chance.between(...kind.chargeEfficiency);
  const selfDischarge = chance.between(...kind.selfDischargePerMonth) / MONTH_HOURS;
  const coldLoss = chance.between(...kind.coldLossPerC);
  const chargerGain = 1 + 0.005 * chance.normal();
  const acceptance = chance.between(0.6, 1.5);
  const hysteresisV = kind.hysteresisV * chance.between(0.5, 1.6);
  const resistancePerDegree = chance.between(...kind.resistancePerDegree);
  const newAh = capacityAh * parameters.capacityShareNew;
  let strings = 1;
  let shorted = false;
  let loss = 0;
  let wholeAh = newAh;
  let heldAh = newAh;
  let slowV = 0;
  let lean = 0;
  let volts = 0;
  let isFull = true;
  let absorbed = true;
  let sinceFullHours = 0;
  let warmth = 25;
  const share = (): number => Math.min(1, Math.max(0, heldAh / wholeAh));
  const ohm = (): number => (newOhm / strings) * (1 + (parameters.resistanceGrowth * loss) / 0.2);
  const restV = (): number => {
    const whole = (openCircuit(share(), parameters.curveBend * loss) + hysteresisV * lean) * cells;
    return shorted ? (whole * (cells - 1)) / cells : whole;
  };
  volts = restV();

  const settle = (): void => {
    loss = ageing.loss().total;
    const cold = Math.max(0.5, 1 - coldLoss * Math.max(0, 25 - warmth));
    const before = wholeAh;
    wholeAh = newAh * (1 - loss) * strings * cold;
    // Losing capacity takes charge along in step; cold only hides it, which for the size of a step is the same.
    heldAh *= wholeAh / before;
  };

  return {
    live({ offeredA, hours, temperatureC }) {
      warmth = temperatureC;
      const resistance = ohm() * resistanceFactor(share(), resistancePerDegree * (25 - temperatureC));
      const rest = restV();
      const lead = chemistry === "lead_acid";
      const absorptionV = kind.absorptionV - (lead ? 0.004 * (temperatureC - 25) : 0);
      const heldV = (absorbed ? kind.floatV : absorptionV) * cells * chargerGain;
      // The last percents go in ever harder: for lead in the spirit of Copetti et al. 1993 (Progress in
      // Photovoltaics 1, 283), the figures being ours; for lithium a mere trace.
      const reluctance = (kind.taper * acceptance * cells) / capacityAh / (1.02 - share()) ** 1.2;
      const tapering = resistance + reluctance;
      let amperes = offeredA;
      if (offeredA > 0) {
        amperes = Math.min(offeredA, Math.max(0, (heldV - rest - slowV) / tapering));
        // A lead battery takes more than it holds and gasses; a lithium one stops.
        if (!lead) amperes = Math.min(amperes, (wholeAh - heldAh) / (hours * chargeEfficiency) + 0.001 * capacityAh);
      }
      // The last step takes what is left, and then there is nothing.
      const drained = offeredA < 0 && heldAh <= -offeredA * hours;
      if (drained) amperes = -heldAh / hours;
      heldAh += (amperes > 0 ? amperes * chargeEfficiency : amperes) * hours - selfDischarge * heldAh * hours;
      heldAh = drained ? 0 : Math.min(wholeAh, Math.max(0, heldAh));
      lean = Math.max(-1, Math.min(1, lean + (amperes * hours) / (0.05 * wholeAh)));
      slowV += (amperes * resistance * slowShare - slowV) * (1 - Math.exp(-hours / slowHours));
      volts = restV() + slowV + amperes * (amperes > 0 ? tapering : resistance);
      // Whatever is left over, the charger holds the voltage.
      if (offeredA > amperes + 1e-6 && amperes > 0) volts = Math.max(heldV, rest);
      // Full: the charger holds the voltage and little flows. Then it rests on float until the battery has worked again.
      const tapered = offeredA > amperes + 1e-6 && amperes < 0.03 * wholeAh;
      isFull = share() > 0.97 && tapered;
      if (isFull) absorbed = true;
      else if (share() < 0.95) absorbed = false;
      sinceFullHours = isFull ? 0 : sinceFullHours + hours;
      const cycles = Math.max(0, -amperes * hours) / capacityAh;
      ageing.live({ hours, cycles, charge: share(), temperatureC, sinceFullHours, full: isFull });
      settle();
      return amperes;
    },
    voltage: () => volts,
    capacityAh: () => newAh * (1 - loss) * strings * (shorted ? 0.1 : 1),
    resistanceOhm: ohm,
    charge: share,
    full: () => isFull,
    empty: () => heldAh <= 0,
    loseCell(keptShare) {
      if (shorted || strings < 1) return;
      if (chemistry === "lead_acid") shorted = true;
      else {
        strings = keptShare;
        settle();
      }
    },
  };
}
