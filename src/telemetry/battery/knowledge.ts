import type { BatterySpec } from "./chemistry-facts.ts";
import { BLANK_LIFE, type Life } from "./life.ts";
import { BLANK_MEMORY, type Memory } from "./memory.ts";

/** What is kept of a battery from week to week, and the label in whose shares it was reckoned. */
export interface Knowledge {
  readonly spec: BatterySpec;
  readonly memory: Memory;
  readonly life: Life;
}

/**
 * What a battery's next week begins with.
 *
 * Charge is counted in shares of the label's ampere-hours and voltage by its cells, so what was learned under another label
 * cannot be compared with what is seen under this one: a corrected label would look like a battery that lost or won capacity
 * overnight. It is learned anew. Its age, its ampere-hours and its heat are what they were; so are the habits of its home, as
 * long as only the ampere-hours were wrong.
 */
export function takeUp(known: Knowledge | undefined, spec: BatterySpec): Pick<Knowledge, "memory" | "life"> {
  if (known === undefined) return { memory: BLANK_MEMORY, life: BLANK_LIFE };
  const { spec: before, memory, life } = known;
  const sameKind = before.chemistry === spec.chemistry && before.cells === spec.cells;
  if (sameKind && before.ratedAh === spec.ratedAh) return { memory, life };
  const cycles = (life.cycles * before.ratedAh) / spec.ratedAh;
  const { heatHours, heatWeightedHours } = life;
  return {
    memory: { ...BLANK_MEMORY, weeks: memory.weeks },
    life: sameKind ? { ...life, cycles } : { ...BLANK_LIFE, cycles, heatHours, heatWeightedHours },
  };
}
