import { monotonicNow } from "../wire/clock.ts";
import { ValinorError } from "./errors.ts";
import type { Caller } from "./types.ts";

/** Bounds of what waits in memory for clients that do not read; sizes in bytes, durations in milliseconds. */
export interface StreamLimits {
  /** Of all streams, of those of one tenant, and of one credential. */
  readonly process: number;
  readonly tenant: number;
  readonly credential: number;
  /** A stream whose reader has asked for nothing more for so long, while something waits for it, is stalled. */
  readonly stalledMs: number;
  readonly lookMs: number;
}

/** The bounds that hold where none are given. A stream of its own holds at most a window of credit and a frame (src/wire/limits.ts). */
export const defaultStreamLimits: StreamLimits = {
  process: 128 * 1024 * 1024,
  tenant: 64 * 1024 * 1024,
  credential: 32 * 1024 * 1024,
  stalledMs: 1_000,
  lookMs: 500,
};

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
  let used = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const sharesOf = ({ tenant, credential, subject }: Caller): [string, number, string][] => [
    ["", limits.process, "this server's"],
    [tenant, limits.tenant, "this tenant's"],
    [`${tenant}\0${credential}\0${subject}`, limits.credential, "this credential's"],
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
    for (const [name] of sharesOf(stream.caller)) used.set(name, (used.get(name) ?? 0) + bytes);
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
      if (sharesOf(stream.caller).every(([name, most]) => (used.get(name) ?? 0) <= most * SHED_AT)) continue;
      add(watched, -stalled);
      watched.stalled = 0;
      onShed(stream, stalled);
      stream.shed();
    }
  }

  return {
    admit(caller) {
      for (const [name, most, whose] of sharesOf(caller))
        if ((used.get(name) ?? 0) > most * REFUSE_AT)
          throw new ValinorError(
            "LIMIT_EXCEEDED",
            `${whose} streams wait for clients that do not read them`,
            {
              retryMs: RETRY_MS,
            },
          );
    },
    add(stream) {
      const watched: Watched = { stream, takes: stream.takes(), since: monotonicNow(), stalled: 0 };
      all.add(watched);
      timer ??= setInterval(look, limits.lookMs).unref();
      return () => {
        all.delete(watched);
        if (all.size > 0) return;
        clearInterval(timer);
        timer = undefined;
        used = new Map();
      };
    },
  };
}
