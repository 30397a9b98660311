import { limits } from "@valinor/protocol";

/** Most bytes of a request, whatever speaks it: docs/errors.md section "Bounds of a request" lists them. */
export const requestLimits = {
  /** Services that anybody may call: names, and nothing else. */
  openBytes: 4 * 1024,
  /** Names, page tokens, filters: the longest legal ones, escaped, take half of it. */
  smallBytes: 16 * 1024,
  /** A message or a configuration: the longest text that is legal, escaped to JSON as it commonly is. */
  largeBytes: limits.frameBytes,
  /** A context entry, in the same way. */
  contextBytes: 2 * 1024 * 1024,
  /** A body of REST. */
  restBytes: 1024 * 1024,
  /** Milliseconds that a body of REST has to arrive. */
  restBodyMs: 30_000,
} as const;
