/** What is due on a link on which nothing was heard: the host is asked whether it is there, or the link is lost. */
export type SilenceDue = "ask" | "lost" | undefined;

/** The time for which nothing was heard of a host: after half of the bound it is asked, once, and after all of it the link is lost. */
export class HostSilence {
  readonly #most: number;
  #heardAt: number;
  #asked = false;

  constructor(most: number, now: number) {
    this.#most = most;
    this.#heardAt = now;
  }

  /** A byte came at that time; an earlier one than what is known changes nothing. */
  heard(at: number): void {
    if (at <= this.#heardAt) return;
    this.#heardAt = at;
    this.#asked = false;
  }

  /** What is due. To ask is due once in each silence. */
  due(now: number): SilenceDue {
    const silence = now - this.#heardAt;
    if (silence >= this.#most) return "lost";
    if (this.#asked || silence < this.#most / 2) return undefined;
    this.#asked = true;
    return "ask";
  }

  /** When something is due next, if nothing is heard. */
  get dueAt(): number {
    return this.#heardAt + (this.#asked ? this.#most : this.#most / 2);
  }
}
