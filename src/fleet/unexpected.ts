import { type LimitedLogger, limitLogger, type LineLogger } from "@valinor/protocol";

/** A further line on the same kind of error is written after this long, milliseconds; those between are counted. */
const WINDOW_MS = 600_000;

/**
 * Errors that nobody expects: faults of this program, and what it has not met before. The first of each kind is logged with its stack,
 * the others are counted. What is expected (a store that is away, a link that is lost) is a state, and is not for here.
 */
export class UnexpectedErrors {
  readonly #logger: LimitedLogger;
  #count = 0;

  constructor(logger: LineLogger) {
    this.#logger = limitLogger(logger, { first: 1, windowMs: WINDOW_MS });
  }

  /** How many there have been. */
  get count(): number {
    return this.#count;
  }

  /** Takes one; `what` says in a sentence what could not be done, `fields` of whom. Never throws. */
  note(what: string, error: unknown, fields: object = {}): void {
    this.#count++;
    const err = error instanceof Error ? error : new Error(String(error));
    this.#logger.error({ ...fields, err, unexpected: this.#count }, what);
  }

  /** Tells how many were left out: at the end of the process. */
  flush(): void {
    this.#logger.flush();
  }
}
