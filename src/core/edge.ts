/** What the answers of both APIs have in common, RPC and REST. */

/** What every answer says that comes piece by piece: proxies hand each piece on at once, and neither keep nor rewrite it. */
export const streamHeaders = {
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

/** A path without doubled and trailing slashes: what a client meant that joined a base address and a path carelessly. */
export function tidyPath(path: string): string {
  const tidy = path.replace(/\/{2,}/g, "/");
  return tidy.length > 1 && tidy.endsWith("/") ? tidy.slice(0, -1) : tidy;
}

/**
 * Why there is nothing at a path. One that differs from a route's by slashes alone is not served, as rules of proxies in front that
 * name the path would not hold for it; it is told what to write.
 */
export function notFoundMessage(path: string): string {
  const tidy = tidyPath(path);
  if (tidy === path) return "there is nothing at this path";
  return `there is nothing at this path: write ${tidy.slice(0, 200)}, with single slashes and none at the end`;
}

const probes = new WeakMap<object, () => void>();

/**
 * Says how to write something into a response that its client reads over, so that it can be found out whether the client is still there.
 * It is called between two writes of the response, after its headers.
 */
export function onProbe(response: object, write: () => void): void {
  probes.set(response, write);
}

/** What onProbe was told. */
export function probeOf(response: object): (() => void) | undefined {
  return probes.get(response);
}
