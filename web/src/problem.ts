import { type KnownReason, ValinorError } from "@valinor/client";
import { advice } from "@valinor/proto/reasons";
import { visible } from "./visible.ts";
import { errorText } from "@valinor/protocol/rules";

/** What went wrong, in words for a person and in names for the program. It can be kept as JSON. */
export interface Problem {
  /** Reason of docs/errors.md, or `UNEXPECTED` for a fault of the console itself. */
  readonly reason: string;
  /** What the server said. */
  readonly text: string;
  /** What to do about it; empty if nothing is known. */
  readonly advice: string;
  /** True if the error ended the run that was read; otherwise only the reading of it. */
  readonly endedRun: boolean;
}

/** What to do about a reason; empty if it is not known here. */
function adviceFor(reason: string): string {
  return Object.hasOwn(advice, reason) ? advice[reason as KnownReason] : "";
}

/** Reads any thrown value. */
export function readProblem(thrown: unknown): Problem {
  if (!(thrown instanceof ValinorError)) {
    console.error(thrown);
    return ownProblem("UNEXPECTED", errorText(thrown));
  }
  const { reason, message, sequence } = thrown;
  return {
    reason: visible(reason).slice(0, 64),
    text: visible(message).slice(0, 2000),
    advice: adviceFor(reason),
    endedRun: sequence !== undefined,
  };
}

/** A problem that the console itself found. */
export function ownProblem(reason: string, text: string, advice = ""): Problem {
  return { reason, text: visible(text).slice(0, 2000), advice, endedRun: false };
}
