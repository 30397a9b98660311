import type { Bounds } from "../bounds.ts";
import {
  digestOfHash,
  digestOfName,
  type Generation,
  LedgerEntries,
  type LedgerEntry,
  type LedgerLine,
} from "./ledger-entries.ts";

type LedgerBounds = Pick<Bounds, "ledgerKeepMs" | "ledgerEntries">;

/** A ledger that is full says so no more often than this. */
const FULL_LOG_MS = 60_000;

/** A ledger as plain data. */
export interface LedgerState {
  /** What the ledger's clock is ahead of the monotonic clock. */
  readonly ahead: number;
  readonly generations: readonly Generation[];
  /** Names of the requests that are being written down, by the life of their run. */
  readonly recording: ReadonlyMap<string, string>;
  /** Requests that were forgotten before their time, and not told of yet. */
  readonly forgotten: number;
  /** When that was last told. */
  readonly toldAt: number | undefined;
}

/** Called when requests are forgotten before their time because there are more than `entries`. */
export type OnFull = (entries: number, forgotten: number) => void;

/**
 * The ledger of an agent that starts, with the requests that earlier boots took, oldest first. What is too old or too much by the bounds is
 * left out.
 */
export function ledgerOf(taken: Iterable<LedgerLine>, bounds: LedgerBounds, now: number): LedgerState {
  const entries = new LedgerEntries(bounds.ledgerKeepMs);
  let latest = 0;
  for (const line of taken) {
    latest = Math.max(latest, line.takenAt);
    entries.add({ ...line, takenAt: latest }, false);
  }
  entries.forgetOld(latest);
  entries.forgetOver(bounds.ledgerEntries);
  const generations = entries.snapshot();
  return { ahead: latest - now, generations, recording: new Map(), forgotten: 0, toldAt: undefined };
}

/**
 * Remembers which requests were taken, so that none runs twice: by their digests, for `ledgerKeepMs` and `ledgerEntries` at most. lost-runs.ts says
 * what follows for one who asks again.
 *
 * The ledger has a clock of its own: it goes with the monotonic clock, stands still while no agent runs, and goes on after a restart
 * from the latest time in the file. So no step of the wall clock makes it forget, and what is remembered for 24 h is remembered for 24 h in
 * which an agent ran.
 */
export class Ledger {
  readonly #bounds: LedgerBounds;
  readonly #onFull: OnFull;
  readonly #entries: LedgerEntries;
  readonly #recording: Map<string, string>;
  readonly #ahead: number;
  #forgotten: number;
  #toldAt: number | undefined;

  constructor(bounds: LedgerBounds, state: LedgerState, onFull: OnFull) {
    this.#bounds = bounds;
    this.#onFull = onFull;
    this.#entries = new LedgerEntries(bounds.ledgerKeepMs, [...state.generations]);
    this.#recording = new Map(state.recording);
    this.#ahead = state.ahead;
    this.#forgotten = state.forgotten;
    this.#toldAt = state.toldAt;
  }

  snapshot(): LedgerState {
    return {
      ahead: this.#ahead,
      generations: this.#entries.snapshot(),
      recording: new Map(this.#recording),
      forgotten: this.#forgotten,
      toldAt: this.#toldAt,
    };
  }

  /** Everything that is remembered, for the file behind the ledger. */
  get entries(): Pick<LedgerEntries, "size" | "lines"> {
    return this.#entries;
  }

  /** What is known of a request; its message is the same if `digest` is the digestOfHash of the message's. */
  find(requestId: string): LedgerEntry | undefined {
    return this.#entries.find(digestOfName(requestId));
  }

  /** Takes a request for the run of that life. Its line is to be written down, and `recorded` to be called, before the model is called. */
  take(life: string, requestId: string, hash: string, now: number): LedgerLine {
    const line = { name: digestOfName(requestId), digest: digestOfHash(hash), takenAt: this.#time(now) };
    this.#recording.set(life, line.name);
    this.#entries.add(line, true);
    this.#entries.forgetOld(line.takenAt);
    this.#makeRoom(now);
    return line;
  }

  /** The line of a run was written down, or could not be: then its request is forgotten, and may come again. */
  recorded(life: string, ok: boolean): void {
    const name = this.#recording.get(life);
    this.#recording.delete(life);
    if (name !== undefined && !ok) this.#entries.delete(name);
  }

  /** Forgets what is too old. */
  sweep(now: number): void {
    this.#entries.forgetOld(this.#time(now));
  }

  #time(now: number): number {
    return Math.round(this.#ahead + now);
  }

  /** Keeps within the bound on number. To forget a request that is young enough to come again is worth a word. */
  #makeRoom(now: number): void {
    const { ledgerEntries } = this.#bounds;
    this.#forgotten += this.#entries.forgetOver(ledgerEntries);
    if (this.#forgotten === 0 || (this.#toldAt !== undefined && now - this.#toldAt < FULL_LOG_MS)) return;
    this.#onFull(ledgerEntries, this.#forgotten);
    this.#forgotten = 0;
    this.#toldAt = now;
  }
}
