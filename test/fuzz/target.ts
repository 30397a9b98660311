import type { Random } from "../helpers/random.ts";

/** Something that takes inputs of strangers, and what must hold of it whatever they are. */
export interface Target {
  readonly name: string;
  /** Share of the time: 1 is usual. */
  readonly weight: number;
  /** Starts what is attacked. */
  open(): Promise<Attack>;
}

/** A target that runs. */
export interface Attack {
  /** Makes an input. The same numbers make the same input. */
  make(random: Random): Buffer;
  /** Gives it the input; answers how many frames, requests or texts it held. Rejects with `Finding` if something does not hold. */
  run(input: Buffer): Promise<number>;
  close(): Promise<void>;
}

/** Something does not hold. */
export class Finding extends Error {
  override readonly name = "Finding";
}

/** Lets everything that waits in the loop go on, this many times. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The promise, or a finding after `ms`: what is attacked hangs. */
export async function inTime<T>(what: string, promise: Promise<T>, ms = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Finding(`${what} took over ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
