import { makeChance } from "../sms-gateway/sms-gateway.ts";

/** 0 to below 1, always the same sequence. */
export type Chance = () => number;

/**
 * A sequence of its own for each purpose (FNV-1a over the parts). Who pays what then does not depend on how many
 * deliveries or requests came before, so a story changes only where it was changed.
 */
export function makeStream(seed: number, ...purpose: readonly (string | number)[]): Chance {
  let mixed = 0x811c9dc5;
  for (const part of [seed, ...purpose]) {
    for (const letter of `${String(part)}\u0000`) mixed = Math.imul(mixed ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  }
  return makeChance(mixed >>> 0);
}

/** A whole number from `least` up to and including `most`. */
export function between(chance: Chance, [least, most]: readonly [number, number]): number {
  return least + Math.floor(chance() * (most - least + 1));
}
