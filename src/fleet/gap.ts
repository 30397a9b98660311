import { monotonicNow } from "@valinor/protocol";
/** Keeps apart what heartbeats set off: a guest that contradicts itself must not keep its host busy. */
export interface Gap {
  /** False while the last use is too near; then `again` is called once it no longer is. */
  open(): boolean;
  /** The gap was used: the next one is longer where it comes soon. */
  use(): void;
  /** The link is another one. */
  reset(): void;
}

/** First and longest time between two uses, milliseconds; it doubles while each use follows the one before closely. */
const GAP_MS = { least: 500, most: 60_000 };

/** Makes a gap; `again` is called when it is open again and somebody asked meanwhile. */
export function createGap(again: () => void): Gap {
  let length: number = GAP_MS.least;
  let usedAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;

  const left = () => usedAt + length - monotonicNow();

  return {
    open() {
      const wait = left();
      if (wait <= 0) return true;
      timer ??= setTimeout(() => {
        timer = undefined;
        again();
      }, wait).unref();
      return false;
    },
    use() {
      const now = monotonicNow();
      length = now - usedAt < 3 * length ? Math.min(2 * length, GAP_MS.most) : GAP_MS.least;
      usedAt = now;
    },
    reset() {
      clearTimeout(timer);
      timer = undefined;
      length = GAP_MS.least;
      usedAt = -Infinity;
    },
  };
}
