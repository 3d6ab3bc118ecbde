/** A seeded source of chance with the few distributions that the physics needs. */
export interface Chance {
  /** 0 to below 1. */
  unit(): number;
  /** Normal, mean 0 and deviation 1. */
  normal(): number;
  /** Evenly between two bounds. */
  between(least: number, most: number): number;
  /** True with the probability given. */
  happens(probability: number): boolean;
}

/**
 * The same seed and purpose give the same sequence, and each purpose its own, so a change in one place of the physics does
 * not stir the others. FNV-1a over the purpose, then mulberry32 (Tommy Ettinger, public domain); Box and Muller for normals.
 */
export function makeChance(seed: number, purpose: string): Chance {
  let state = 0x811c9dc5;
  for (const letter of `${String(seed)}/${purpose}`)
    state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit());
  return {
    unit,
    normal,
    between: (least, most) => least + unit() * (most - least),
    happens: (probability) => unit() < probability,
  };
}
