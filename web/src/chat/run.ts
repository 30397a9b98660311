import type { StreamResponse } from "@valinor/proto/valinor/v1/agent_proxy";
import { ownProblem, type Problem } from "../problem.ts";

/** A piece of an answer, in the order in which it came. */
export type Part =
  | { readonly kind: "text"; text: string }
  | { readonly kind: "tool"; readonly callId: string; readonly name: string; readonly args: string };

/**
 * Where a run is: `waiting` for a connection, `sending` the message, `streaming` its answer, `resuming` after a cut; then it
 * has ended. `interrupted` is the page's alone: it gave up reading, and the run may go on.
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
  /** Number of the last event in `parts`; 0 where there is none. */
  lastSequence: number;
  parts: Part[];
  /** True where the server never said that it can be resumed. */
  resumable: boolean;
  /** Name of the life of the run that was read; empty while none was. */
  life: string;
  allowStaleConfig: boolean;
  finishReason: string;
  tokens: number;
  problem: Problem | undefined;
  /** True where only the beginning was kept over a reload. */
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

/** True where nothing more will come. */
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

/**
 * Takes an event into the run. An event that the run has already is dropped. Throws Error where one is missing before it, which
 * only reading again from lastSequence can mend.
 */
export function applyEvent(run: Run, { sequence, event }: StreamResponse): void {
  if (event.case === "opened") {
    run.state = "streaming";
    run.resumable = event.value.resumable;
    run.life = event.value.life;
    run.problem = undefined;
    return;
  }
  if (sequence === 0 || sequence <= run.lastSequence) return;
  if (sequence !== run.lastSequence + 1) {
    throw new Error(`event ${sequence} came after event ${run.lastSequence}`);
  }
  if (event.case === "textDelta") appendText(run.parts, event.value.text);
  if (event.case === "toolCall") {
    const { callId, toolName: name, arguments: args } = event.value;
    run.parts.push({ kind: "tool", callId, name, args });
  }
  if (event.case === "done") {
    run.state = "done";
    run.finishReason = event.value.finishReason;
    run.tokens = event.value.usage?.totalTokens ?? 0;
  }
  run.lastSequence = sequence;
}

/** Ends the run, or leaves it interrupted, as the problem says. */
export function applyProblem(run: Run, problem: Problem): void {
  run.problem = problem;
  if (problem.reason === "RUN_CANCELLED") run.state = "cancelled";
  else if (problem.reason === "TOOL_BLOCKED") run.state = "blocked";
  else if (problem.endedRun || LOST.has(problem.reason)) run.state = "failed";
  else run.state = "interrupted";
}

/** Errors that did not end the run, and that asking again for it cannot mend either. */
const LOST = new Set([
  "RUN_LOST",
  "RUN_TRIMMED",
  "RUN_UNKNOWN",
  "REQUEST_ID_REUSED",
  "AGENT_NOT_FOUND",
  "INVALID_ARGUMENT",
  "REQUEST_TOO_LARGE",
]);

/** What is said of an answer that cannot be read on. */
export const notResumable: Problem = ownProblem(
  "RUN_INTERRUPTED",
  "the connection was cut, and this agent cannot resume an answer",
  "Sending again starts a new run.",
);

/** The answer's text alone, exactly as it came. */
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
