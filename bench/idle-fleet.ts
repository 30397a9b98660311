import { type Child, startChild } from "./child.ts";
import type { GuestArgument } from "./guest.ts";

/** Guests of one process: each has a listener and a link, and a process may have some ten thousand descriptors open. */
const GUESTS_A_PROCESS = 4_000;

/** Idle guests (idle-guests.ts), in as many processes as they need. */
export class IdleFleet {
  readonly #children: readonly Child[];
  /** Where the guests listen. */
  readonly ports: readonly number[];

  private constructor(children: readonly Child[]) {
    this.#children = children;
    this.ports = children.flatMap((child) => child.ports);
  }

  static async start(guests: number): Promise<IdleFleet> {
    const children: Child[] = [];
    for (let left = guests; left > 0; left -= GUESTS_A_PROCESS) {
      const argument: GuestArgument = { guests: Math.min(left, GUESTS_A_PROCESS) };
      children.push(await startChild({ script: "idle-guests.ts", argument, core: undefined }));
    }
    return new IdleFleet(children);
  }

  /** How many links are up and have their configuration. */
  async up(): Promise<number> {
    const samples = await Promise.all(this.#children.map((child) => child.sample()));
    return samples.reduce((sum, { count }) => sum + count, 0);
  }

  /** Ends every link at once, as if all machines had been started again. */
  async restart(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.sample("restart")));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }
}
