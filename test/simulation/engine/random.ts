import { createRandom, type Random } from "../../helpers/random.ts";

/** Random choices of one part of the world, decided by the seed and the part's name: what one part draws shifts nothing for another. */
export interface Chance extends Random {
  /** A number from `least` to less than `most`. */
  between(least: number, most: number): number;
  /** An integer from `least` to `most`, both included. */
  count(least: number, most: number): number;
  /** One of them. */
  pick<T>(items: readonly T[]): T;
  /** One of the names, each as often as its weight says. */
  weighed<K extends string>(weights: Readonly<Record<K, number>>): K;
}

/** Makes the choices of the part of that name. */
export function createChance(seed: number, name: string): Chance {
  let mixed = seed >>> 0;
  for (let i = 0; i < name.length; i++) mixed = Math.imul(mixed ^ name.charCodeAt(i), 0x01000193) >>> 0;
  const random = createRandom(mixed);
  const next = () => random.next();
  const below = (most: number) => random.below(most);
  return {
    ...random,
    between: (least, most) => least + next() * (most - least),
    count: (least, most) => least + below(most - least + 1),
    pick: <T>(items: readonly T[]) => items[below(items.length)] as T,
    weighed<K extends string>(weights: Readonly<Record<K, number>>): K {
      const entries = Object.entries(weights) as [K, number][];
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) if ((left -= weight) < 0) return name;
      return (entries.at(-1) as [K, number])[0];
    },
  };
}
