import { monotonicNow } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import type { Caller } from "../types.ts";

/** Bounds of what waits in memory for clients that do not read; sizes in bytes, durations in milliseconds. */
export interface StreamLimits {
  /** Of all streams, of those of one tenant, and of one credential. */
  readonly process: number;
  readonly tenant: number;
  readonly credential: number;
  /** Streams open at once: all, those of one tenant, and of one credential, which so leaves some to others. */
  readonly streams: number;
  readonly tenantStreams: number;
  readonly credentialStreams: number;
  /** A stream whose reader has asked for nothing more for so long, while something waits for it, is stalled. */
  readonly stalledMs: number;
  /** The same where what waits for all streams of a share, read or not, is more than the share may hold of stalled ones. */
  readonly pressedMs: number;
  readonly lookMs: number;
}

/** The bounds that hold where none are given. A stream of its own holds at most a window of credit and a frame (protocol/wire/limits.ts). */
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

/** Share of a bound at which new streams are refused, and at which the largest that is stalled is ended. */
const REFUSE_AT = 0.8;
const SHED_AT = 0.95;
/** Streams that are ended in one turn of the event loop: to end one costs some 50 us. */
const SHED_A_TURN = 16;
/** Milliseconds after which a refused stream may be let in: stalled clients are dropped meanwhile. */
const RETRY_MS = 5_000;

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

/** What holds the memory of stalled streams within bounds. */
export interface StreamBudget {
  /** Throws LIMIT_EXCEEDED where what waits for stalled clients leaves no room for a new stream of this caller. */
  admit(caller: Caller): void;
  /** Watches a stream; the answer ends that. */
  add(stream: HeldStream): () => void;
}

interface Watched {
  readonly stream: HeldStream;
  takes: number;
  since: number;
  /** Bytes that wait for it. */
  held: number;
  /** The same while it is stalled, otherwise 0. */
  stalled: number;
  /** It is to be ended in a turn to come. */
  doomed: boolean;
}

/** Makes the budget. One timer looks at all streams while there are some; `onShed` is told of each that was ended. */
export function createStreamBudget(
  options: Partial<StreamLimits> = {},
  onShed: (stream: HeldStream, bytes: number) => void = () => {},
): StreamBudget {
  const limits: StreamLimits = { ...defaultStreamLimits, ...options };
  const all = new Set<Watched>();
  const open = new Map<string, number>();
  let used = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const sharesOf = ({ tenant, credential, subject }: Caller): Share[] => [
    { name: "", bytes: limits.process, streams: limits.streams, whose: "this server's" },
    { name: tenant, bytes: limits.tenant, streams: limits.tenantStreams, whose: "this tenant's" },
    {
      name: `${tenant}\0${credential}\0${subject}`,
      bytes: limits.credential,
      streams: limits.credentialStreams,
      whose: "this credential's",
    },
  ];

  /** Counts what waits for a stream, read or not. */
  function countHeld(watched: Watched, now: number, held: Map<string, number>): void {
    const takes = watched.stream.takes();
    if (takes !== watched.takes) {
      watched.takes = takes;
      watched.since = now;
    }
    watched.held = watched.doomed ? 0 : watched.stream.held();
    if (watched.held > 0) add(held, watched, watched.held);
  }

  function countStalled(watched: Watched, now: number, held: Map<string, number>): void {
    const idleMs = now - watched.since;
    const isStalled =
      idleMs >= limits.stalledMs || (idleMs >= limits.pressedMs && isOver(held, watched.stream));
    watched.stalled = isStalled ? watched.held : 0;
    if (watched.stalled > 0) add(used, watched, watched.stalled);
  }

  function add(to: Map<string, number>, { stream }: Watched, bytes: number): void {
    for (const { name } of sharesOf(stream.caller)) to.set(name, (to.get(name) ?? 0) + bytes);
  }

  /** True if a share of the stream's caller holds so much that a stalled stream of it is to be ended. */
  function isOver(of: ReadonlyMap<string, number>, { caller }: HeldStream): boolean {
    return sharesOf(caller).some(({ name, bytes }) => (of.get(name) ?? 0) > bytes * SHED_AT);
  }

  function countOpen(caller: Caller, by: 1 | -1): void {
    for (const { name } of sharesOf(caller)) {
      const left = (open.get(name) ?? 0) + by;
      if (left > 0) open.set(name, left);
      else open.delete(name);
    }
  }

  function look(): void {
    const now = monotonicNow();
    const held = new Map<string, number>();
    used = new Map();
    for (const watched of all) countHeld(watched, now, held);
    for (const watched of all) if (watched.held > 0) countStalled(watched, now, held);
    if (used.size > 0) shed();
  }

  /** Ends the largest of those that are over a share, until none is. */
  function shed(): void {
    const largest = [...all].filter(({ stalled }) => stalled > 0).toSorted((a, b) => b.stalled - a.stalled);
    const doomed = largest.filter((watched) => {
      if (!isOver(used, watched.stream)) return false;
      add(used, watched, -watched.stalled);
      return (watched.doomed = true);
    });
    endSome(doomed);
  }

  /** Ends a few now, and the others in the turns to come. */
  function endSome(doomed: Watched[]): void {
    for (const { stream, stalled } of doomed.splice(0, SHED_A_TURN)) {
      onShed(stream, stalled);
      stream.shed();
    }
    if (doomed.length > 0) setImmediate(endSome, doomed);
  }

  return {
    admit(caller) {
      for (const { name, bytes, streams, whose } of sharesOf(caller)) {
        if ((open.get(name) ?? 0) >= streams) throw refused(`${whose} streams are ${streams} already`);
        if ((used.get(name) ?? 0) > bytes * REFUSE_AT)
          throw refused(`${whose} streams wait for clients that do not read them`);
      }
    },
    add(stream) {
      const watched: Watched = {
        stream,
        takes: stream.takes(),
        since: monotonicNow(),
        held: 0,
        stalled: 0,
        doomed: false,
      };
      all.add(watched);
      countOpen(stream.caller, 1);
      timer ??= setInterval(look, limits.lookMs).unref();
      return () => {
        if (!all.delete(watched)) return;
        countOpen(stream.caller, -1);
        if (all.size > 0) return;
        clearInterval(timer);
        timer = undefined;
        used = new Map();
      };
    },
  };
}

function refused(why: string): ValinorError {
  return new ValinorError("LIMIT_EXCEEDED", why, { retryMs: RETRY_MS });
}
