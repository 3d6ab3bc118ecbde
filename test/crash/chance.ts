/** A repeatable source of chance: the same seed draws the same values. */
export interface Chance {
  /** From 0 to just under 1. */
  next(): number;
  /** A whole number from 0 to bound - 1. */
  below(bound: number): number;
  happens(share: number): boolean;
  pick<Value>(values: readonly [Value, ...Value[]]): Value;
}

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state are plenty for drawing a load. */
export function makeChance(seed: number): Chance {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    next,
    below,
    happens: (share) => next() < share,
    pick: (values) => values[below(values.length)] ?? values[0],
  };
}
