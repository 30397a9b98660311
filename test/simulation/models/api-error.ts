/** An error as a client sees it. */
export class ApiError extends Error {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryMs: number;

  constructor(reason: string, metadata: Readonly<Record<string, string>> = {}, retryMs = 0, text = reason) {
    super(text);
    this.reason = reason;
    this.metadata = metadata;
    this.retryMs = retryMs;
  }

  /** Number of the event that ended the run; undefined if the run may be going on. */
  get sequence(): string | undefined {
    return this.metadata["sequence"];
  }
}
