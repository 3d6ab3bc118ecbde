import type { Chance } from "./chance.ts";
import type { Chemistry } from "./chemistry.ts";

/** What goes wrong besides ageing, and when. */
export type Fault =
  | { readonly kind: "shaded"; readonly atMs: number; readonly keptShare: number }
  | { readonly kind: "cell_lost"; readonly atMs: number; readonly keptShare: number }
  | { readonly kind: "sensor_broken"; readonly atMs: number; readonly reads: "zero" | "stuck" | "third" }
  | { readonly kind: "hot"; readonly atMs: number; readonly aboveC: number };

/**
 * One fault at most, somewhere in the years given. `keptShare` of "cell_lost": the capacity left when one of two to four
 * parallel strings of a lithium pack opens; for lead-acid a shorted cell, which takes a sixth of the voltage and leaves
 * nearly nothing usable.
 */
export function drawFault(
  chemistry: Chemistry,
  chance: Chance,
  { startMs, years }: { readonly startMs: number; readonly years: number },
): Fault | undefined {
  const draw = chance.unit();
  const atMs = startMs + chance.between(0.1, 1) * years * 365 * 86_400_000;
  if (draw < 0.05) return { kind: "shaded", atMs, keptShare: chance.between(0.2, 0.55) };
  if (draw < 0.09) {
    const strings = 2 + Math.floor(chance.between(0, 3));
    return { kind: "cell_lost", atMs, keptShare: chemistry === "lead_acid" ? 0.05 : 1 - 1 / strings };
  }
  if (draw < 0.12) {
    const reads = (["zero", "stuck", "third"] as const)[Math.floor(chance.between(0, 3))] ?? "zero";
    return { kind: "sensor_broken", atMs, reads };
  }
  if (draw < 0.19) return { kind: "hot", atMs: startMs, aboveC: chance.between(8, 18) };
  return undefined;
}
