import type { StreamEvent } from "@valinor/client";
import { ownProblem, type Problem } from "../problem.ts";

/** A piece of an answer, in the order in which it came. */
export type Part =
  | { readonly kind: "text"; text: string }
  | { readonly kind: "tool"; readonly callId: string; readonly name: string; readonly args: string };

/**
 * Where a run is: `waiting` for a connection, `sending` the message, `streaming` its answer, `resuming` after a cut; then it
 * has ended. `interrupted` exists only in the page: it gave up reading, and the run may go on.
 */
export type RunState =
  | "waiting"
  | "sending"
  | "streaming"
  | "resuming"
  | "interrupted"
  | "done"
  | "cancelled"
  | "blocked"
  | "failed";

/** A message and its answer so far. `parts` and `lastSequence` always belong together: that is what resuming rests on. */
export interface Run {
  /** Minted by the page, kept before the message leaves it. */
  readonly requestId: string;
  readonly agentId: string;
  readonly conversationId: string;
  readonly message: string;
  readonly sentAt: number;
  state: RunState;
  /** True once it may have left the page: only the agent knows from then on whether it runs. */
  sent: boolean;
  /** Number of the last event in `parts`; 0 if there is none. */
  lastSequence: number;
  parts: Part[];
  /** False once the agent said that its answer cannot be resumed. */
  resumable: boolean;
  /** Name of the life of the run that was read; empty while none was. */
  life: string;
  allowStaleConfig: boolean;
  finishReason: string;
  tokens: number;
  problem: Problem | undefined;
  /** True if only the beginning was kept over a reload. */
  shortened: boolean;
}

/** What a run begins with. */
export type NewRun = Pick<Run, "requestId" | "agentId" | "conversationId" | "message">;

/** Makes a run that was not sent yet. */
export function newRun(fields: NewRun, now: number): Run {
  return {
    ...fields,
    sentAt: now,
    state: "waiting",
    sent: false,
    lastSequence: 0,
    parts: [],
    resumable: true,
    life: "",
    allowStaleConfig: false,
    finishReason: "",
    tokens: 0,
    problem: undefined,
    shortened: false,
  };
}

/** True if nothing more will come. */
export function hasEnded(run: Run): boolean {
  return (
    run.state === "done" || run.state === "cancelled" || run.state === "blocked" || run.state === "failed"
  );
}

/** True while the page reads the run, or is about to. */
export function isActive(run: Run): boolean {
  return !hasEnded(run) && run.state !== "interrupted";
}

/** A text part is closed at a line's end above this many characters, so that what was drawn is not drawn again. */
const PART_CHARS = 4_000;
/** A line may be as long as this. */
const PART_MAX_CHARS = 32_000;

/** Takes the next event into the run. */
export function applyEvent(run: Run, event: StreamEvent): void {
  switch (event.type) {
    case "opened":
      run.state = "streaming";
      run.resumable = event.resumable;
      run.life = event.life;
      run.problem = undefined;
      return;
    case "text":
      appendText(run.parts, event.text);
      break;
    case "tool_call":
      run.parts.push({ kind: "tool", callId: event.callId, name: event.toolName, args: event.arguments });
      break;
    case "done":
      run.state = "done";
      run.finishReason = event.finishReason;
      run.tokens = event.usage?.totalTokens ?? 0;
      break;
  }
  run.lastSequence = event.sequence;
}

/** Ends the run, or leaves it interrupted, as the problem says. An answer that cannot be resumed has failed. */
export function applyProblem(run: Run, problem: Problem): void {
  const { reason, endedRun } = problem;
  const final = endedRun || FINAL.has(reason);
  run.problem = final || run.resumable ? problem : notResumable;
  if (reason === "RUN_CANCELLED") run.state = "cancelled";
  else if (reason === "TOOL_BLOCKED") run.state = "blocked";
  else if (final || !run.resumable) run.state = "failed";
  else run.state = "interrupted";
}

/** Errors after which asking again for the run helps nobody, also if they did not end it. */
const FINAL = new Set([
  "RUN_CANCELLED",
  "TOOL_BLOCKED",
  "RUN_LOST",
  "RUN_TRIMMED",
  "RUN_UNKNOWN",
  "REQUEST_ID_REUSED",
  "AGENT_NOT_FOUND",
  "INVALID_ARGUMENT",
  "REQUEST_TOO_LARGE",
]);

/** What is said of an answer that cannot be read on. */
const notResumable: Problem = ownProblem(
  "RUN_INTERRUPTED",
  "the connection was cut, and this agent cannot resume an answer",
  "Sending again starts a new run.",
);

/** Only the answer's text, exactly as it came. */
export function textOf(run: Run): string {
  let text = "";
  for (const part of run.parts) if (part.kind === "text") text += part.text;
  return text;
}

function appendText(parts: Part[], text: string): void {
  const last = parts.at(-1);
  if (last?.kind !== "text" || isClosed(last.text)) parts.push({ kind: "text", text });
  else last.text += text;
  const open = parts.at(-1);
  if (open?.kind === "text" && open.text.length > 2 * PART_CHARS) split(parts, open);
}

function isClosed(text: string): boolean {
  return (text.length >= PART_CHARS && text.endsWith("\n")) || text.length >= PART_MAX_CHARS;
}

/** Closes a long part at its last line's end; what follows becomes the open one. */
function split(parts: Part[], part: Part & { kind: "text" }): void {
  const end = part.text.lastIndexOf("\n") + 1;
  if (end < PART_CHARS || end === part.text.length) return;
  const rest = part.text.slice(end);
  part.text = part.text.slice(0, end);
  parts.push({ kind: "text", text: rest });
}
