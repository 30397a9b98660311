/** Watches writes that clients do not take. One timer for all of them: none is started for a write. */
export interface StallWatch {
  /** Takes up a stream; `hangUp` is called once when one of its writes is not taken in time. */
  watch(hangUp: () => void): StallTimer;
  /** Ends the watch. */
  close(): void;
}

/** The watch on one stream. */
export interface StallTimer {
  /** A write begins. */
  begin(): void;
  /** It was taken. */
  end(): void;
  /** The stream is over. */
  stop(): void;
}

/** Makes a watch that hangs up on a client which takes nothing for `ms`. */
export function createStallWatch(ms: number): StallWatch {
  const streams = new Set<{ since: number; hangUp: () => void }>();
  const timer = setInterval(
    () => {
      const now = Date.now();
      for (const stream of streams) {
        if (stream.since === 0 || now - stream.since < ms) continue;
        streams.delete(stream);
        stream.hangUp();
      }
    },
    Math.min(1_000, ms / 4),
  );
  timer.unref();
  return {
    watch(hangUp) {
      const stream = { since: 0, hangUp };
      streams.add(stream);
      return {
        begin() {
          stream.since = Date.now();
        },
        end() {
          stream.since = 0;
        },
        stop() {
          streams.delete(stream);
        },
      };
    },
    close: () => clearInterval(timer),
  };
}
