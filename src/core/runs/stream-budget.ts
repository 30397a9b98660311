import { monotonicNow } from "@valinor/protocol";
import { limitExceeded } from "../errors.ts";
import type { Caller } from "../types.ts";

/** Bounds of what waits in memory for clients that do not read; sizes in bytes, durations in milliseconds. */
export interface StreamLimits {
  /** Of all streams, of those of one tenant, and of one credential. */
  readonly process: number;
  readonly tenant: number;
  readonly credential: number;
  /** Streams open at once: all, those of one tenant, and those of one credential, so that each leaves some to others. */
  readonly streams: number;
  readonly tenantStreams: number;
  readonly credentialStreams: number;
  /** A stream is stalled if something waits for its reader, who has asked for nothing more for so long. */
  readonly stalledMs: number;
  /** The same bound while all streams of a share, read or not, hold more than the share may hold of stalled ones. */
  readonly pressedMs: number;
  readonly lookMs: number;
}

/** The bounds that hold unless others are given. One stream holds at most a window of credit and a frame (protocol/wire/limits.ts). */
export const defaultStreamLimits: StreamLimits = {
  process: 128 * 1024 * 1024,
  tenant: 64 * 1024 * 1024,
  credential: 32 * 1024 * 1024,
  streams: 10_000,
  tenantStreams: 8_000,
  credentialStreams: 5_000,
  stalledMs: 1_000,
  pressedMs: 400,
  lookMs: 200,
};

/** A bound of a caller's: under which name it is counted, bytes and streams at most, and whose it is. */
interface Share {
  readonly name: string;
  readonly bytes: number;
  readonly streams: number;
  readonly whose: string;
}

/** Share of a bound at which new streams are refused, and at which the largest stalled stream is ended. */
const REFUSE_AT = 0.8;
const SHED_AT = 0.95;
/** Streams that are ended in one turn of the event loop: to end one costs some 50 us. */
const SHED_A_TURN = 16;

/** A stream towards a client. */
export interface HeldStream {
  readonly caller: Caller;
  /** Bytes that wait for its reader. */
  held(): number;
  /** How often the reader has asked for more. */
  takes(): number;
  /** Ends it and drops its client, which may resume it. */
  shed(): void;
}

/** What is kept of a stream that is watched. */
interface Watched {
  readonly stream: HeldStream;
  readonly shares: readonly Share[];
  takes: number;
  /** When the reader last asked for more, as far as the looks tell. */
  since: number;
  /** Bytes that wait for it. */
  held: number;
  /** The same while it is stalled, otherwise 0. */
  stalled: number;
  /** It is to be ended in a turn to come. */
  doomed: boolean;
}

/** Holds the memory of stalled streams within bounds. One timer looks at all streams while there are some. */
export class StreamBudget {
  readonly #limits: StreamLimits;
  readonly #onShed: (stream: HeldStream, bytes: number) => void;
  readonly #watched = new Set<Watched>();
  /** Streams that are open, by share. */
  readonly #open = new Map<string, number>();
  /** Bytes that wait for stalled streams, by share. */
  #stalled = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `onShed` is told of each stream that was ended, and how many bytes it held. */
  constructor(
    limits: Partial<StreamLimits> = {},
    onShed: (stream: HeldStream, bytes: number) => void = () => {},
  ) {
    this.#limits = { ...defaultStreamLimits, ...limits };
    this.#onShed = onShed;
  }

  /** Throws LIMIT_EXCEEDED if what waits for stalled clients leaves no room for a new stream of this caller. */
  admit(caller: Caller): void {
    for (const { name, bytes, streams, whose } of this.#sharesOf(caller)) {
      if ((this.#open.get(name) ?? 0) >= streams)
        throw limitExceeded(`${whose} streams are ${streams} already: end one first`);
      if ((this.#stalled.get(name) ?? 0) > bytes * REFUSE_AT)
        throw limitExceeded(`${whose} streams wait for clients that do not read them`);
    }
  }

  /** Watches a stream; the answer ends that. */
  add(stream: HeldStream): () => void {
    const shares = this.#sharesOf(stream.caller);
    const since = monotonicNow();
    const watched: Watched = {
      stream,
      shares,
      takes: stream.takes(),
      since,
      held: 0,
      stalled: 0,
      doomed: false,
    };
    this.#watched.add(watched);
    for (const { name } of shares) count(this.#open, name, 1);
    this.#timer ??= setInterval(() => this.#look(), this.#limits.lookMs).unref();
    return () => this.#remove(watched);
  }

  #remove(watched: Watched): void {
    if (!this.#watched.delete(watched)) return;
    for (const { name } of watched.shares) count(this.#open, name, -1);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stalled = new Map();
  }

  #look(): void {
    const now = monotonicNow();
    const held = new Map<string, number>();
    this.#stalled = new Map();
    for (const watched of this.#watched) countHeld(watched, now, held);
    for (const watched of this.#watched) if (watched.held > 0) this.#countStalled(watched, now, held);
    if (this.#stalled.size > 0) this.#shed();
  }

  #countStalled(watched: Watched, now: number, held: ReadonlyMap<string, number>): void {
    const { stalledMs, pressedMs } = this.#limits;
    const idleMs = now - watched.since;
    const isStalled = idleMs >= stalledMs || (idleMs >= pressedMs && isOver(held, watched));
    watched.stalled = isStalled ? watched.held : 0;
    if (watched.stalled > 0) addBytes(this.#stalled, watched, watched.stalled);
  }

  /** Ends the largest of those that are over a share, until none is. */
  #shed(): void {
    const largest = [...this.#watched]
      .filter(({ stalled }) => stalled > 0)
      .toSorted((a, b) => b.stalled - a.stalled);
    const doomed = largest.filter((watched) => {
      if (!isOver(this.#stalled, watched)) return false;
      addBytes(this.#stalled, watched, -watched.stalled);
      return (watched.doomed = true);
    });
    this.#endSome(doomed);
  }

  /** Ends a few now, and the others in the turns to come. */
  #endSome(doomed: Watched[]): void {
    for (const { stream, stalled } of doomed.splice(0, SHED_A_TURN)) {
      this.#onShed(stream, stalled);
      stream.shed();
    }
    if (doomed.length > 0) setImmediate(() => this.#endSome(doomed));
  }

  #sharesOf({ tenant, credential, subject }: Caller): readonly Share[] {
    const limits = this.#limits;
    return [
      { name: "", bytes: limits.process, streams: limits.streams, whose: "this server's" },
      { name: tenant, bytes: limits.tenant, streams: limits.tenantStreams, whose: "this tenant's" },
      {
        name: `${tenant}\0${credential}\0${subject}`,
        bytes: limits.credential,
        streams: limits.credentialStreams,
        whose: "this credential's",
      },
    ];
  }
}

/** Counts what waits for a stream, read or not. */
function countHeld(watched: Watched, now: number, held: Map<string, number>): void {
  const takes = watched.stream.takes();
  if (takes !== watched.takes) {
    watched.takes = takes;
    watched.since = now;
  }
  watched.held = watched.doomed ? 0 : watched.stream.held();
  if (watched.held > 0) addBytes(held, watched, watched.held);
}

function addBytes(to: Map<string, number>, { shares }: Watched, bytes: number): void {
  for (const { name } of shares) to.set(name, (to.get(name) ?? 0) + bytes);
}

/** True if a share of the stream's caller holds so much that a stalled stream of it is to be ended. */
function isOver(of: ReadonlyMap<string, number>, { shares }: Watched): boolean {
  return shares.some(({ name, bytes }) => (of.get(name) ?? 0) > bytes * SHED_AT);
}

/** Changes a count by one; a name is kept only while it has some. */
function count(counts: Map<string, number>, name: string, by: 1 | -1): void {
  const left = (counts.get(name) ?? 0) + by;
  if (left > 0) counts.set(name, left);
  else counts.delete(name);
}
