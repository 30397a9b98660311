import { advice, cliAdvice, type KnownReason } from "@valinor/proto/reasons";

/** What to do about an error of this reason, for a person at a terminal; undefined if a newer server gives one that is not known here. */
export function adviceFor(reason: string): string | undefined {
  return isKnown(reason) ? (cliAdvice[reason] ?? advice[reason]) : undefined;
}

function isKnown(reason: string): reason is KnownReason {
  return Object.hasOwn(advice, reason);
}
