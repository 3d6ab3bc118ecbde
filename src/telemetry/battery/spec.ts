import { InvalidInput } from "../../kernel/refusal.ts";
import { CHEMISTRIES, type BatterySpec } from "./chemistry-facts.ts";

/**
 * A battery as a data sheet gives it.
 *
 * @throws InvalidInput naming the field, what is wrong and what would be right
 */
export function parseBatterySpec(given: {
  readonly chemistry: string;
  readonly ratedAh: number;
  readonly cells: number;
}): BatterySpec {
  const chemistry = CHEMISTRIES.find((name) => name === given.chemistry);
  if (chemistry === undefined)
    throw new InvalidInput(
      `The chemistry "${given.chemistry}" is not known. Expected ${CHEMISTRIES.join(", ")}.`,
      "chemistry",
    );
  if (!(given.ratedAh > 0 && given.ratedAh < 100_000))
    throw new InvalidInput(
      `A rated capacity of ${given.ratedAh} Ah cannot be. Expected ampere-hours above 0.`,
      "ratedAh",
    );
  if (!(Number.isInteger(given.cells) && given.cells >= 1 && given.cells <= 400))
    throw new InvalidInput(
      `${given.cells} cells in series cannot be. A 12 V lead battery has 6 cells, a 12.8 V LFP pack 4, an 11.1 V Li-ion pack 3.`,
      "cells",
    );
  return { chemistry, ratedAh: given.ratedAh, cells: given.cells };
}

/** Why there is no such battery; undefined where there is. Other refusals are ours and stay thrown. */
export function refusalOfSpec(given: Parameters<typeof parseBatterySpec>[0]): string | undefined {
  try {
    parseBatterySpec(given);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidInput) return error.message;
    throw error;
  }
}
