/** What bounds a limiter of log lines. */
export interface LogLimitOptions {
  /** Lines of one kind that are written in a window. Default 10. */
  readonly first?: number;
  /** As many are written if each is another variant of its kind. Default: `first`. */
  readonly variants?: number;
  /** Milliseconds from a window's first line to its end. Default one minute. */
  readonly windowMs?: number;
  /** Kinds that are told apart in a window; those beyond share one. Default 1,000. */
  readonly kinds?: number;
  /** Told at a window's end of each kind of which lines were left out, and how many, unless the last of them has one of its own. */
  readonly leftOut?: (kind: string, count: number) => void;
}

/** What is said of a line beside its kind. */
export interface LineOptions {
  /** What tells the line from others of its kind: one that was not seen in this window is written beyond the first. */
  readonly variant?: string;
  /** Told at the window's end how many lines of the kind were left out, if this is the last of them. */
  readonly leftOut?: (count: number) => void;
}

/** The lines of one kind in a window. */
interface Tally {
  said: number;
  written: number;
  readonly variants: Set<string>;
  leftOut: ((count: number) => void) | undefined;
}

/** The kind of all that are beyond the bound on kinds. */
const OTHERS = "others";

/**
 * Keeps whoever can cause log lines from filling a disk with them: of each kind the first lines of a window are written, and at its end how
 * many more there were.
 */
export class LogLimit {
  readonly #options: LogLimitOptions;
  readonly #tallies = new Map<string, Tally>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogLimitOptions) {
    this.#options = options;
  }

  /**
   * Calls `write`, which writes a line of this kind, unless the window has had its share of them. A kind is what an operator would
   * take for the same: a text of the code, perhaps with the name of an agent; never what a stranger can make up without an end.
   */
  say(kind: string, write: () => void, line: LineOptions = {}): void {
    const { first = 10, variants = first, windowMs = 60_000 } = this.#options;
    const tally = this.#tallyOf(kind);
    this.#timer ??= setTimeout(() => this.flush(), windowMs).unref();
    tally.said++;
    tally.leftOut = line.leftOut;
    const variant = line.variant ?? "";
    const isNew = !tally.variants.has(variant);
    if (tally.written >= (isNew ? variants : first)) return;
    tally.written++;
    tally.variants.add(variant);
    write();
  }

  /** Tells now what was left out, and begins a new window: at the end of the process. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const tallies = [...this.#tallies];
    this.#tallies.clear();
    for (const [kind, { said, written, leftOut }] of tallies) {
      if (said === written) continue;
      if (leftOut === undefined) this.#options.leftOut?.(kind, said - written);
      else leftOut(said - written);
    }
  }

  #tallyOf(kind: string): Tally {
    const { kinds = 1_000 } = this.#options;
    const name = this.#tallies.has(kind) || this.#tallies.size < kinds ? kind : OTHERS;
    let tally = this.#tallies.get(name);
    if (tally === undefined) {
      tally = { said: 0, written: 0, variants: new Set(), leftOut: undefined };
      this.#tallies.set(name, tally);
    }
    return tally;
  }
}

/** Where lines go; pino has this shape. */
export interface LineLogger {
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** A logger that leaves out what repeats too often. */
export interface LimitedLogger extends LineLogger {
  /** Tells now what was left out: at the end of the process. */
  flush(): void;
}

/**
 * Makes a logger that writes the first lines of a kind in a minute, and then how many were left out. A kind is a line's text and the place of
 * the code that threw its `err`, if it has one: a stranger who provokes one fault hides no other with it.
 */
export function limitLogger(
  logger: LineLogger,
  options: Omit<LogLimitOptions, "leftOut"> = {},
): LimitedLogger {
  const limit = new LogLimit({
    ...options,
    leftOut: (kind, count) => logger.warn({ kind, leftOut: count }, "log lines of this kind were left out"),
  });
  const write = (level: "warn" | "error") => (fields: object, text: string) =>
    limit.say(text + placeOf(fields), () => logger[level](fields, text));
  return { warn: write("warn"), error: write("error"), flush: () => limit.flush() };
}

/** The first line of the stack of a line's error; empty if there is none. */
function placeOf(fields: object): string {
  const error = "err" in fields ? fields.err : undefined;
  return (error instanceof Error && /\n\s+(at .*)/.exec(error.stack ?? "")?.[1]) || "";
}
