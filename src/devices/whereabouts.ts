import { InvalidInput } from "../kernel/refusal.ts";
import type { Whereabouts } from "./devices.ts";

const AREA_CHARACTERS_MAX = 80;
const PLACE_CHARACTERS_MAX = 200;
export const REASON_CHARACTERS_MAX = 500;

/** A reason is what somebody reads in a year, so there is always one. */
export function checkReason(reason: string): void {
  if (reason.trim() === "" || reason.length > REASON_CHARACTERS_MAX || /\0/.test(reason))
    throw new InvalidInput(`A reason of 1 to ${REASON_CHARACTERS_MAX} characters is needed.`, "reason");
}

/** Why a device cannot be there; undefined where it can. */
export function whereaboutsProblem({ area, place, latitude, longitude }: Whereabouts): string | undefined {
  if (area !== null && !isLine(area, AREA_CHARACTERS_MAX)) return `An area has 1 to ${AREA_CHARACTERS_MAX} characters.`;
  if (place !== null && !isLine(place, PLACE_CHARACTERS_MAX))
    return `A place has 1 to ${PLACE_CHARACTERS_MAX} characters.`;
  if ((latitude === null) !== (longitude === null)) return "A position has a latitude and a longitude.";
  if (latitude !== null && !(Math.abs(latitude) <= 90)) return "A latitude is -90 to 90 degrees.";
  if (longitude !== null && !(Math.abs(longitude) <= 180)) return "A longitude is -180 to 180 degrees.";
  return undefined;
}

export function checkWhereabouts(whereabouts: Whereabouts): void {
  const problem = whereaboutsProblem(whereabouts);
  if (problem !== undefined) throw new InvalidInput(problem, "whereabouts");
}

function isLine(text: string, charactersMax: number): boolean {
  return text.trim() !== "" && text.length <= charactersMax && !/[\0\r\n]/.test(text);
}
