/** Numbers that a seed decides. */
export interface Random {
  /** From 0 to less than 1. */
  next(): number;
  /** An integer from 0 to less than `most`. */
  below(most: number): number;
  /** True this often. */
  chance(probability: number): boolean;
}

/** Makes them (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, below: (most) => Math.floor(next() * most), chance: (probability) => next() < probability };
}
