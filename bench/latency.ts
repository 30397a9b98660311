/** How long calls took, milliseconds. */
export interface LatencyFigures {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

/** Times of calls since they were last asked for. */
export class Latencies {
  #times: number[] = [];

  /** A call took so long, milliseconds. */
  add(ms: number): void {
    this.#times.push(ms);
  }

  /** What was added since the last time, which is forgotten; undefined if nothing was. */
  take(): LatencyFigures | undefined {
    const times = this.#times;
    this.#times = [];
    return latencyFigures(times);
  }
}

/** Figures of so many times; undefined if there are none. */
export function latencyFigures(times: readonly number[]): LatencyFigures | undefined {
  if (times.length === 0) return undefined;
  const sorted = Float64Array.from(times).toSorted();
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), most: quantile(sorted, 1) };
}

/** The least of the sorted values that at least this share of them does not exceed; NaN if there are none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = Math.ceil(sorted.length * share) - 1;
  return sorted[Math.min(sorted.length - 1, Math.max(0, at))] ?? Number.NaN;
}
