/** What bounds a limiter of log lines. */
export interface LogLimitOptions {
  /** Lines of one kind that are written in a window. Default 10. */
  readonly first?: number;
  /** Milliseconds from a window's first line to its end. Default one minute. */
  readonly windowMs?: number;
  /** Kinds that are told apart in a window; those beyond share one. Default 1,000. */
  readonly kinds?: number;
  /** Told at a window's end of each kind of which lines were left out, and how many. */
  readonly leftOut: (kind: string, count: number) => void;
}

/** Keeps whoever can cause log lines from filling a disk with them. */
export interface LogLimit {
  /**
   * Calls `write`, which writes a line of this kind, unless the window has had its share of them. A kind is what an operator would
   * take for the same: a text of the code, perhaps with the name of an agent; never what a stranger can make up without an end.
   */
  say(kind: string, write: () => void): void;
  /** Tells now what was left out, and begins a new window: at the end of the process. */
  flush(): void;
}

/** The kind of all that are beyond the bound on kinds. */
const OTHERS = "others";

/** Makes a limiter: of each kind the first lines of a window are written, and at its end how many more there were. */
export function createLogLimit(options: LogLimitOptions): LogLimit {
  const { first = 10, windowMs = 60_000, kinds = 1_000, leftOut } = options;
  const counts = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const told = [...counts];
    counts.clear();
    for (const [kind, count] of told) if (count > first) leftOut(kind, count - first);
  }

  return {
    say(kind, write) {
      const name = counts.has(kind) || counts.size < kinds ? kind : OTHERS;
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      timer ??= setTimeout(flush, windowMs).unref();
      if (count <= first) write();
    },
    flush,
  };
}

/** Where lines go; pino has this shape. */
export interface LineLogger {
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** A logger that leaves out what repeats too often. */
export interface LimitedLogger extends LineLogger {
  /** As LogLimit has it. */
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
  const limit = createLogLimit({
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
