import { sha256 } from "@valinor/protocol";
import type { Caller } from "../types.ts";

/** Digests of callers, so that a message costs no hash; bounded, and emptied when full. */
const digests = new Map<string, string>();
const MAX_DIGESTS = 10_000;

/**
 * The name that a run or a conversation of this caller has on the link: 64 bits of a digest of tenant and subject, a dot, and
 * the caller's own name for it. Nobody can name another user's run.
 */
export function linkName(caller: Caller, name: string): string {
  const owner = `${caller.tenant}\0${caller.subject}`;
  let digest = digests.get(owner);
  if (digest === undefined) {
    if (digests.size >= MAX_DIGESTS) digests.clear();
    digest = sha256(owner).slice(0, 16);
    digests.set(owner, digest);
  }
  return `${digest}.${name}`;
}
