import { sha256 } from "@valinor/protocol";

/** 128 bits of the digest of a request's id, as text of 22 characters: names are long, and many. */
export function digestOfName(requestId: string): string {
  return digestOfHash(sha256(requestId));
}

/** The first 128 bits of a message's hash (SHA-256 in hexadecimal), in the same form. */
export function digestOfHash(hash: string): string {
  return Buffer.from(hash.slice(0, 32), "hex").toString("base64url");
}

/** What the ledger knows of a request. */
export interface LedgerEntry {
  /** `digestOfHash` of the message that it was taken with. */
  readonly digest: string;
  /** True if this boot took it, false if an earlier one did. */
  readonly own: boolean;
}

/** One request as it stands in the ledger's file. */
export interface LedgerLine {
  /** `digestOfName` of its id. */
  readonly name: string;
  readonly digest: string;
  /** When it was taken, in milliseconds of the ledger's clock. */
  readonly takenAt: number;
}

/** Requests that were taken within one span of time. Their names and digests are all that is kept of them. */
export interface Generation {
  /** True if this boot took them. */
  readonly own: boolean;
  readonly from: number;
  last: number;
  readonly digests: Map<string, string>;
}

/** A request's age is known to one part in this many of the time for which it is kept. */
const PARTS = 24;
/** Most requests of one generation: to take the oldest out of a large map costs a search. */
const GENERATION_SIZE = 4_096;

/**
 * The requests that a ledger remembers, oldest first: about 110 bytes for each. Times are milliseconds of the ledger's clock and never
 * fall from one `add` to the next.
 */
export class LedgerEntries {
  readonly #keepMs: number;
  readonly #generations: Generation[];
  #size = 0;

  /** `keepMs`: how long a request is remembered at least. The generations belong to this object from here on. */
  constructor(keepMs: number, generations: Generation[] = []) {
    this.#keepMs = keepMs;
    this.#generations = generations;
    for (const { digests } of generations) this.#size += digests.size;
  }

  snapshot(): Generation[] {
    return this.#generations.map((generation) => ({ ...generation, digests: new Map(generation.digests) }));
  }

  get size(): number {
    return this.#size;
  }

  find(name: string): LedgerEntry | undefined {
    for (let i = this.#generations.length - 1; i >= 0; i--) {
      const { digests, own } = this.#generations[i] as Generation;
      const digest = digests.get(name);
      if (digest !== undefined) return { digest, own };
    }
    return undefined;
  }

  /** Adds a request; one that is known already is as if it had been taken now. */
  add({ name, digest, takenAt }: LedgerLine, own: boolean): void {
    this.delete(name);
    let latest = this.#generations.at(-1);
    if (latest === undefined || latest.own !== own || this.#isFull(latest, takenAt)) {
      latest = { own, from: takenAt, last: takenAt, digests: new Map() };
      this.#generations.push(latest);
    }
    latest.last = takenAt;
    latest.digests.set(name, digest);
    this.#size++;
  }

  delete(name: string): void {
    for (const { digests } of this.#generations) if (digests.delete(name)) this.#size--;
  }

  /** Forgets what was taken more than `keepMs` before `now`. */
  forgetOld(now: number): void {
    for (;;) {
      const oldest = this.#generations[0];
      if (oldest === undefined || (oldest.digests.size > 0 && now - oldest.last <= this.#keepMs)) return;
      this.#size -= oldest.digests.size;
      this.#generations.shift();
    }
  }

  /** Forgets the oldest until at most `most` are left; answers how many that were. */
  forgetOver(most: number): number {
    const before = this.#size;
    while (this.#size > most) {
      const { digests } = this.#generations[0] as Generation;
      const [name] = digests.keys();
      if (name === undefined) this.#generations.shift();
      else if (digests.delete(name)) this.#size--;
    }
    return before - this.#size;
  }

  /** All of them, oldest first; what is added or forgotten meanwhile may be among them or not. */
  *lines(): Generator<LedgerLine> {
    for (const { digests, last } of this.#generations.slice()) {
      for (const [name, digest] of digests) yield { name, digest, takenAt: last };
    }
  }

  #isFull({ from, digests }: Generation, takenAt: number): boolean {
    return digests.size >= GENERATION_SIZE || takenAt - from > this.#keepMs / PARTS;
  }
}
