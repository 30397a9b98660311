import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { once } from "node:events";
import { textStep, type Script, type Step } from "./script.ts";
import { ModelRequestError } from "./error.ts";
import {
  chunkEvents,
  completionBody,
  DONE_EVENT,
  toolCallId,
  type OpenAIToolCall,
  type TokenUsage,
} from "./wire.ts";

/** Without a pace, events are gathered up to this many characters before they are written. */
const WRITE_CHARS = 16 * 1024;
/** Characters written in a row before other requests, and news of a client that left, get their turn. */
const TURN_CHARS = 64 * 1024;
/** Words of an answer that is not streamed that are gathered before others get their turn. */
const WORDS_A_TURN = 1000;
/** Longest answer that is not streamed, in characters. */
const MAX_BODY_CHARS = 64 * 1024 * 1024;

/** What an answer is made from. */
export interface AnswerPlan {
  readonly script: Script;
  readonly model: string;
  readonly promptTokens: number;
  /** What to say if the script says nothing. */
  readonly friendly: string;
  /** Milliseconds between words if the script names none. */
  readonly wordMs: number;
}

/** Where an answer goes. Both methods may return a promise, to be awaited before the next call. */
interface Sink {
  /** Takes a piece of text; `hurry` says that nothing follows at once. */
  text(piece: string, hurry: boolean): Promise<void> | undefined;
  toolCall(call: OpenAIToolCall): void;
  /** Sends what is gathered. */
  flush(): Promise<void> | undefined;
}

interface Outcome {
  cut: boolean;
  completionTokens: number;
  finishReason: string;
}

/** Streams the answer as server-sent events; calls `complete` before its end. Rejects once the signal is aborted. */
export async function streamAnswer(
  res: ServerResponse,
  plan: AnswerPlan,
  includeUsage: boolean,
  signal: AbortSignal,
  complete: () => void,
): Promise<void> {
  const events = chunkEvents(plan.model, includeUsage);
  res.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  res.write(events.role());
  let gathered = "";
  let sinceTurn = 0;
  let calls = 0;
  const flush = (): Promise<void> | undefined => {
    if (gathered === "") return undefined;
    const taken = res.write(gathered);
    sinceTurn += gathered.length;
    gathered = "";
    if (!taken) return once(res, "drain", { signal }).then(() => undefined);
    if (sinceTurn < TURN_CHARS) return undefined;
    sinceTurn = 0;
    return nextTurn(undefined, { signal });
  };
  const sink: Sink = {
    text(piece, hurry) {
      gathered += events.text(piece);
      return hurry || gathered.length >= WRITE_CHARS ? flush() : undefined;
    },
    toolCall(call) {
      gathered += events.toolCall(calls++, call);
    },
    flush,
  };
  const outcome = await play(plan, sink, signal);
  complete();
  if (outcome.cut) {
    // What was written is to arrive: destroying at once would throw it away with the connection.
    res.write("\n", () => res.destroy());
    return;
  }
  gathered += events.finish(outcome.finishReason);
  if (includeUsage) gathered += events.usage(usageOf(plan, outcome));
  res.end(gathered + DONE_EVENT);
}

/**
 * Gives the answer in one piece, after the time that streaming it would take. Rejects as streamAnswer does, and with
 * ModelRequestError 400 if the answer is over 64 Mi characters.
 */
export async function wholeAnswer(
  res: ServerResponse,
  plan: AnswerPlan,
  signal: AbortSignal,
  complete: () => void,
): Promise<void> {
  let content: string | null = null;
  let sinceTurn = 0;
  const toolCalls: OpenAIToolCall[] = [];
  const sink: Sink = {
    text(piece) {
      content = (content ?? "") + piece;
      if (content.length > MAX_BODY_CHARS)
        throw new ModelRequestError(400, `over ${MAX_BODY_CHARS} characters only with stream: true`);
      return ++sinceTurn % WORDS_A_TURN === 0 ? nextTurn(undefined, { signal }) : undefined;
    },
    toolCall: (call) => void toolCalls.push(call),
    flush: () => undefined,
  };
  const outcome = await play(plan, sink, signal);
  const body = completionBody(plan.model, content, toolCalls, outcome.finishReason, usageOf(plan, outcome));
  const json = JSON.stringify(body);
  complete();
  res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(json) });
  if (outcome.cut) res.write(json.slice(0, json.length / 2), () => res.destroy());
  else res.end(json);
}

/** Plays the script's steps into the sink, at the script's pace, and stops where the script cuts. */
async function play(plan: AnswerPlan, sink: Sink, signal: AbortSignal): Promise<Outcome> {
  const steps = withDefaultAnswer(plan);
  const total = steps.reduce((sum, step) => sum + (step.kind === "text" ? step.count : 0), 0);
  const cutAfter = plan.script.cut ? Math.ceil(total / 2) : Infinity;
  let pieces = 0;
  let toolCalls = 0;
  for (const step of steps) {
    signal.throwIfAborted();
    if (pieces >= cutAfter) break;
    if (step.kind === "stall") {
      await sink.flush();
      await sleep(step.ms, undefined, { signal });
    } else if (step.kind === "tool") {
      const call = { name: step.name, arguments: step.args };
      sink.toolCall({ id: toolCallId(), type: "function", function: call });
      toolCalls++;
    } else {
      const pace = plan.script.paceMs ?? (step.fast ? 0 : plan.wordMs);
      pieces += await say(step, pieces > 0, cutAfter - pieces, pace, sink, signal);
    }
  }
  await sink.flush();
  return {
    cut: plan.script.cut,
    completionTokens: pieces + toolCalls,
    finishReason: toolCalls > 0 ? "tool_calls" : "stop",
  };
}

/** Says at most `limit` pieces of a step, the first at once, and returns how many. */
async function say(
  step: Step & { kind: "text" },
  afterText: boolean,
  limit: number,
  paceMs: number,
  sink: Sink,
  signal: AbortSignal,
): Promise<number> {
  let said = 0;
  for (const piece of step.pieces()) {
    if (said >= limit) break;
    if (paceMs > 0 && said > 0) await sleep(paceMs, undefined, { signal });
    const wait = sink.text(said === 0 && afterText ? ` ${piece}` : piece, paceMs > 0);
    if (wait !== undefined) await wait;
    said++;
  }
  return said;
}

/** Adds the friendly answer if the script neither says nor calls anything. */
function withDefaultAnswer(plan: AnswerPlan): readonly Step[] {
  const { steps } = plan.script;
  return steps.some((step) => step.kind !== "stall") ? steps : [...steps, textStep(plan.friendly)];
}

function usageOf(plan: AnswerPlan, outcome: Outcome): TokenUsage {
  return {
    prompt_tokens: plan.promptTokens,
    completion_tokens: outcome.completionTokens,
    total_tokens: plan.promptTokens + outcome.completionTokens,
  };
}
