/** How pauses grow with each failure in a row, in milliseconds. */
export interface Pace {
  /** Bound of the first pause; it doubles with each further one. */
  readonly firstMs: number;
  /** Bound of every pause. */
  readonly longestMs: number;
}

/** The longest pause after `failures` failures in a row that came before the latest one: 0 is the first pause. */
export function longestPauseMs({ firstMs, longestMs }: Pace, failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** failures);
}

/**
 * A pause below that bound (full jitter), so that those who lost the same peer do not come back at once. `random` is from 0 to 1, 1 not
 * included.
 */
export function pauseMs(pace: Pace, failures: number, random: number): number {
  return random * longestPauseMs(pace, failures);
}
