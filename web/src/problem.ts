import { type Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@valinor/proto/google/rpc/error_details";
import { advice, againReasons, attachReasons, bareCodes, type KnownReason } from "@valinor/proto/reasons";
import { visible } from "./visible.ts";

/** What went wrong, in words for a person and in names for the program. It can be kept as JSON. */
export interface Problem {
  /** Reason of docs/errors.md; `NETWORK` if no answer of the server was understood. */
  readonly reason: string;
  /** What the server said. */
  readonly text: string;
  /** What to do about it; empty if nothing is known. */
  readonly advice: string;
  /** True if the error ended the run that was read; otherwise only this attempt to read it. */
  readonly endedRun: boolean;
  /** True if the same request may be sent again by itself, as it never runs twice. */
  readonly passing: boolean;
  /** Milliseconds that the server asks to wait before another attempt; 0 if it does not say. */
  readonly retryMs: number;
}

/** Reasons after which the same request, sent again, may succeed by itself. */
const passing: ReadonlySet<string> = new Set([...againReasons, ...attachReasons, "NETWORK"]);

/** What to do about a reason; empty if it is not known here. */
function adviceFor(reason: string): string {
  if (reason === "NETWORK") return advice.CONNECTION_LOST;
  return Object.hasOwn(advice, reason) ? advice[reason as KnownReason] : "";
}

/** What an error without an ErrorInfo is taken for: proxies answer with the codes of HTTP statuses alone. */
function bareReason(code: Code): string {
  const name = codeToString(code);
  return Object.hasOwn(bareCodes, name) ? bareCodes[name as keyof typeof bareCodes] : "NETWORK";
}

/**
 * Reads any thrown value. What carries no ErrorInfo was not said by the control plane: a cut connection, a stream without its end,
 * a proxy's error page. That is `NETWORK`, but for the codes that HTTP statuses stand for alone.
 */
export function readProblem(thrown: unknown): Problem {
  const error = ConnectError.from(thrown);
  const [info] = error.findDetails(ErrorInfoSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const reason = info?.reason ?? bareReason(error.code);
  const delay = retry?.retryDelay;
  return {
    reason: visible(reason).slice(0, 64),
    text: visible(error.rawMessage).slice(0, 2000),
    advice: adviceFor(reason),
    endedRun: info?.metadata["sequence"] !== undefined,
    passing: passing.has(reason) && info?.metadata["sequence"] === undefined,
    retryMs: delay === undefined ? 0 : Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}

/** A problem that the console itself found. */
export function ownProblem(reason: string, text: string, advice = ""): Problem {
  return { reason, text, advice, endedRun: false, passing: false, retryMs: 0 };
}
