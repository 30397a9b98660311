import type { Appointment, Clock } from "../engine/clock.ts";
import type { Chance } from "../engine/random.ts";

/** A line that is being written. */
interface Writing<Line> {
  readonly life: string;
  readonly line: Line;
  done: Appointment | undefined;
}

/** What is on a disk, and what was being written when it was copied. */
export interface DiskImage<Line> {
  readonly lines: readonly Line[];
  readonly writing: readonly { readonly life: string; readonly line: Line }[];
}

/**
 * The disk of a guest, with the ledger on it. A line is safe once it was synced; what is being written when the machine dies is on the disk or
 * is not, and nobody was told.
 */
export class DiskModel<Line> {
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #onWritten: (life: string, ok: boolean) => void;
  #lines: Line[];
  readonly #writing = new Set<Writing<Line>>();
  #slowness = 1;
  #isFull = false;

  constructor(
    clock: Clock,
    chance: Chance,
    onWritten: (life: string, ok: boolean) => void,
    from?: DiskImage<Line>,
  ) {
    this.#clock = clock;
    this.#chance = chance;
    this.#onWritten = onWritten;
    this.#lines = [...(from?.lines ?? [])];
    for (const { life, line } of from?.writing ?? []) this.write(life, line);
  }

  /** What is safe. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** A copy of it. */
  image(): DiskImage<Line> {
    return { lines: [...this.#lines], writing: [...this.#writing].map(({ life, line }) => ({ life, line })) };
  }

  write(life: string, line: Line): void {
    const writing: Writing<Line> = { life, line, done: undefined };
    this.#writing.add(writing);
    writing.done = this.#clock.after(this.#chance.between(0.2, 4) * this.#slowness, () => {
      this.#writing.delete(writing);
      if (!this.#isFull) this.#lines.push(line);
      this.#onWritten(life, !this.#isFull);
    });
  }

  /** The machine dies: of what was being written a part is on the disk, and nobody is told. */
  crash(): void {
    for (const { line, done } of this.#writing) {
      if (done !== undefined) done.isOff = true;
      if (this.#chance.chance(0.3)) this.#lines.push(line);
    }
    this.#writing.clear();
  }

  /** The machine is gone for good. */
  drop(): void {
    for (const { done } of this.#writing) if (done !== undefined) done.isOff = true;
    this.#writing.clear();
  }

  /** Writes take this many times as long. */
  slow(times: number): void {
    this.#slowness = times;
  }

  full(isFull: boolean): void {
    this.#isFull = isFull;
  }
}
