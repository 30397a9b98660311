import { monotonicNow } from "../wire/clock.ts";
import { ValinorError } from "./errors.ts";
import type { Caller } from "./types.ts";

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
  readonly lookMs: number;
}

/** The bounds that hold where none are given. A stream of its own holds at most a window of credit and a frame (src/wire/limits.ts). */
export const defaultStreamLimits: StreamLimits = {
  process: 128 * 1024 * 1024,
  tenant: 64 * 1024 * 1024,
  credential: 32 * 1024 * 1024,
  streams: 10_000,
  tenantStreams: 8_000,
  credentialStreams: 5_000,
  stalledMs: 1_000,
  lookMs: 500,
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
  /** Bytes, while it is stalled. */
  stalled: number;
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

  function count(watched: Watched, now: number): void {
    const takes = watched.stream.takes();
    if (takes !== watched.takes) {
      watched.takes = takes;
      watched.since = now;
    }
    watched.stalled = now - watched.since < limits.stalledMs ? 0 : watched.stream.held();
    if (watched.stalled > 0) add(watched, watched.stalled);
  }

  function add({ stream }: Watched, bytes: number): void {
    for (const { name } of sharesOf(stream.caller)) used.set(name, (used.get(name) ?? 0) + bytes);
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
    used = new Map();
    for (const watched of all) count(watched, now);
    if (used.size > 0) shed();
  }

  /** Ends the largest of those that are over a share, until none is. */
  function shed(): void {
    const largest = [...all].filter(({ stalled }) => stalled > 0).toSorted((a, b) => b.stalled - a.stalled);
    for (const watched of largest) {
      const { stream, stalled } = watched;
      if (sharesOf(stream.caller).every(({ name, bytes }) => (used.get(name) ?? 0) <= bytes * SHED_AT))
        continue;
      add(watched, -stalled);
      watched.stalled = 0;
      onShed(stream, stalled);
      stream.shed();
    }
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
      const watched: Watched = { stream, takes: stream.takes(), since: monotonicNow(), stalled: 0 };
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
