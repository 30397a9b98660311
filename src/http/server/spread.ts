import type { EventEmitter } from "node:events";
import type { Http2Session, Http2Stream } from "node:http2";
import { monotonicNow } from "@valinor/protocol";
import type { HttpLimits } from "./http-limits.ts";
import type { Turns, Waiting } from "./turns.ts";

/** Begins a request of HTTP/2 now or in a later turn of the loop; never if its stream has closed meanwhile. */
export type Spread = (stream: Http2Stream, answer: Answer, begin: () => void) => void;

/** The answer to a request: one that comes in the shape of HTTP/1 has a status, that of a stream as it is has none, and is never 401. */
type Answer = EventEmitter & { readonly statusCode?: number };

/** Most requests of all sessions together that begin at once in a turn, in sessions' shares of `busyPipelined`. */
const SHARES_A_TURN = 2;

/** A session that had to wait in line does so with all of its requests, until it has not had to for so long. */
const GREEDY_MS = 250;

/** Streams of a line that closed meanwhile are looked at so many in a step. */
const MAX_CLOSED = 32;

/** A session's requests that are yet to begin. */
interface Line {
  /** Counts a request that comes; true if it may begin at once. */
  arrive(): boolean;
  add(request: () => boolean): void;
  /** One of them has its answer. */
  settle(isRefused: boolean): void;
}

/**
 * Makes what spreads the requests of sessions over turns of the loop: one read holds as many as the session may have streams. The first
 * `busyPipelined` of a session in a turn begin at once, as long as there are not many sessions that have as many, the others stand in line with
 * those of all sessions and of HTTP/1's connections. How many wait is bounded by the streams that a session may have open. A session whose
 * credential was not good for many requests in a row waits before each, as an HTTP/1 connection does.
 */
export function createSpread(limits: HttpLimits, turns: Turns): Spread {
  const lines = new WeakMap<Http2Session, Line>();
  let begunByAll = 0;
  return (stream, answer, begin) => {
    const { session } = stream;
    if (session === undefined || stream.destroyed) return;
    const line = lines.get(session) ?? createLine(limits, turns);
    lines.set(session, line);
    answer.once("close", () => line.settle(answer.statusCode === 401));
    if (line.arrive() && begunByAll < SHARES_A_TURN * limits.busyPipelined) {
      if (begunByAll++ === 0) setImmediate(() => (begunByAll = 0));
      return begin();
    }
    line.add(() => {
      if (stream.destroyed) return false;
      begin();
      return true;
    });
  };
}

function createLine(limits: HttpLimits, turns: Turns): Line {
  const later: (() => boolean)[] = [];
  let begun = 0; // since the loop last turned
  let greedyUntil = -1;
  let refusals = 0; // in a row
  let penalty: NodeJS.Timeout | undefined;

  /** True while there is more to be begun, and that may be. */
  function step(): boolean {
    if (penalty !== undefined) return false;
    for (let closed = 0; closed < MAX_CLOSED; closed++) if (later.shift()?.() ?? true) break;
    return later.length > 0 && penalty === undefined;
  }
  const waiting: Waiting = { step };

  function forgive(): void {
    penalty = undefined;
    if (later.length > 0) turns.join(waiting);
  }

  return {
    arrive() {
      if (begun === 0) setImmediate(() => (begun = 0));
      const isFirst = begun++ < limits.busyPipelined;
      return isFirst && later.length === 0 && penalty === undefined && monotonicNow() >= greedyUntil;
    },
    add(request) {
      greedyUntil = monotonicNow() + GREEDY_MS;
      later.push(request);
      if (penalty === undefined) turns.join(waiting);
    },
    settle(isRefused) {
      refusals = isRefused ? refusals + 1 : 0;
      if (refusals > limits.refusals) penalty ??= setTimeout(forgive, limits.refusalMs).unref();
    },
  };
}
