/** Argument of every server process. */
export interface ServerArgument {
  /** Ports of the guests, each an agent: `bench0`, `bench1`, ... */
  readonly guestPorts: readonly number[];
}
