import type { Http2ServerRequest, Http2Session } from "node:http2";
import type { Turns, Waiting } from "./turns.ts";

/** Begins a request of HTTP/2 now or in a later turn of the loop; never if its stream has closed meanwhile. */
export type Spread = (req: Http2ServerRequest, begin: () => void) => void;

/** A session's requests that are yet to begin. */
interface Line extends Waiting {
  readonly later: (() => void)[];
  /** Begun since the loop last turned. */
  begun: number;
}

/**
 * Makes what spreads the requests of a session over turns of the loop: one read holds as many as the session may have streams. The first
 * `atOnce` of a turn begin at once, the others stand in line with those of all sessions and of HTTP/1's connections. How many wait is bounded by
 * the streams that a session may have open.
 */
export function createSpread(atOnce: number, turns: Turns): Spread {
  const lines = new WeakMap<Http2Session, Line>();
  return ({ stream }, begin) => {
    const { session } = stream;
    if (session === undefined || stream.destroyed) return;
    const line = lines.get(session) ?? createLine();
    lines.set(session, line);
    if (line.begun === 0) setImmediate(() => (line.begun = 0));
    if (line.later.length === 0 && line.begun++ < atOnce) return begin();
    line.later.push(() => {
      if (!stream.destroyed) begin();
    });
    turns.join(line);
  };
}

function createLine(): Line {
  const later: (() => void)[] = [];
  return {
    later,
    begun: 0,
    step() {
      later.shift()?.();
      return later.length > 0;
    },
  };
}
