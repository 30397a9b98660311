import type { UsageJson } from "@valinor/proto/valinor/link/v1/link";
import { endsInHighSurrogate, Failure, isObject, isUint32, type UnknownObject } from "@valinor/protocol";
import type { Bounds } from "../../bounds.ts";
import type { ModelEvent } from "../../runs/model.ts";
import { hasReasoning, textOf } from "./content.ts";
import { describeError } from "../describe.ts";
import { readReason, UNKNOWN_REASON } from "./finish.ts";
import { createToolCalls } from "./tool-calls.ts";
import { readUsage } from "./usage.ts";

/** Makes events of the JSON of an OpenAI-style answer, streamed or whole. */
export interface Completion {
  /** Takes one object, or a list of them. Throws Failure where it is an error or too much. */
  take(value: unknown): void;
  /**
   * The answer has ended: `told`, by its end mark or because it came whole, or with its connection alone. Only the first is
   * complete without a finish reason. Throws Failure `empty_response` or `truncated` where it is not complete.
   */
  end(how: "told" | "closed"): void;
  /** True once the model said why it stopped: what comes then may add usage, but nothing is missing any more. */
  readonly finished: boolean;
}

/**
 * Makes a completion that hands its events to `emit`: text of choice 0, tool calls of every choice. `onId` is called once
 * with the answer's id, before any event, where it has one.
 */
export function createCompletion(
  bounds: Bounds,
  emit: (event: ModelEvent) => void,
  onId: (id: string) => void = () => {},
): Completion {
  const calls = createToolCalls(bounds, (call) => emit({ kind: "tool_call", call }));
  const text = createText((piece) => emit({ kind: "text", text: piece }));
  let id: string | undefined;
  let heard = false; // anything that a model made
  let reasoned = false;
  let streamed = false;
  let finishReason: string | undefined;
  let usage: UsageJson | undefined;
  const saidAnything = () => text.any || calls.any;

  function takeObject(value: UnknownObject): void {
    checkAnswer(value);
    if (id === undefined && typeof value["id"] === "string") onId((id = value["id"]));
    const choices: readonly unknown[] = Array.isArray(value["choices"]) ? value["choices"] : [];
    heard ||= choices.length > 0;
    for (const [position, choice] of choices.entries()) if (isObject(choice)) takeChoice(choice, position);
    usage = readUsage(value) ?? usage;
  }

  function takeChoice(choice: UnknownObject, position: number): void {
    checkError(choice);
    const index = isUint32(choice["index"]) ? choice["index"] : position;
    const { delta, message } = choice;
    if (isObject(delta)) {
      streamed = true;
      takeDelta(index, delta, false);
      // Some servers repeat the whole message at the end of a stream.
    } else if (isObject(message) && !(streamed && saidAnything())) takeDelta(index, message, true);
    else if (typeof choice["text"] === "string" && index === 0) text.take(choice["text"]);
    const reason = readReason(choice["finish_reason"]);
    if (reason === undefined) return;
    calls.finish(index);
    if (index === 0) finishReason = reason;
  }

  function takeDelta(index: number, delta: UnknownObject, whole: boolean): void {
    const { tool_calls: toolCalls, function_call: functionCall } = delta;
    if (index === 0) text.take(textOf(delta));
    if (!reasoned && !text.any) reasoned = hasReasoning(delta);
    calls.take(index, toolCalls, whole);
    if (isObject(functionCall) && !hasAny(toolCalls)) calls.take(index, [{ function: functionCall }], whole);
  }

  return {
    take(value) {
      const list: unknown[] = Array.isArray(value) ? value : [value];
      if (!list.every(isObject)) throw new Failure("parse_error", "the model's answer is not a JSON object");
      list.forEach(takeObject);
    },
    end(how) {
      if (how === "closed" && finishReason === undefined && heard) {
        throw new Failure("truncated", "the model's answer is not complete");
      }
      calls.finishAll();
      if (!saidAnything()) throw new Failure("empty_response", nothing(heard, reasoned, finishReason));
      emit({ kind: "finish", finishReason: finishReason ?? UNKNOWN_REASON, usage });
    },
    get finished() {
      return finishReason !== undefined;
    },
  };
}

/** Hands text on, well-formed: half of a surrogate pair at the end of a piece waits for the other half. */
function createText(emit: (text: string) => void) {
  let held = "";
  let any = false;
  return {
    take(piece: string): void {
      if (piece === "") return;
      let whole = held + piece;
      held = "";
      if (endsInHighSurrogate(whole, whole.length)) {
        held = whole.slice(-1);
        whole = whole.slice(0, -1);
      }
      if (whole === "") return;
      any = true;
      emit(whole.isWellFormed() ? whole : whole.toWellFormed());
    },
    get any() {
      return any;
    },
  };
}

/** Throws Failure `openclaw_error` where an object tells of an error: under `error`, or in another shape instead of an answer. */
function checkAnswer(value: UnknownObject): void {
  checkError(value);
  if (value["object"] === "error" || value["type"] === "error" || isBareError(value)) throw reported(value);
}

/** The same for what stands under `error` alone; an empty object is none. */
function checkError(value: UnknownObject): void {
  const { error } = value;
  if (!error || (isObject(error) && Object.keys(error).length === 0)) return;
  throw reported(typeof error === "object" || typeof error === "string" ? error : value);
}

function reported(error: unknown): Failure {
  return new Failure("openclaw_error", `OpenClaw reports: ${describeError(error)}`);
}

/** `{"detail":...}`, `{"message":"..."}`, `{"errors":[...]}` where an answer should be. */
function isBareError(value: UnknownObject): boolean {
  if ("choices" in value || "delta" in value || "finish_reason" in value) return false;
  const { detail, message, errors } = value;
  return (
    (typeof message === "string" && message !== "") ||
    (typeof detail === "string" && detail !== "") ||
    hasAny(detail) ||
    hasAny(errors)
  );
}

function nothing(heard: boolean, reasoned: boolean, reason: string | undefined): string {
  if (!heard) return "the model's answer holds nothing";
  const thoughts = reasoned ? "reasoning alone, " : "";
  const ended = reason === undefined ? "" : ` (finish_reason ${reason})`;
  return `the model's answer holds ${thoughts}neither text nor a tool call${ended}`;
}

function hasAny(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}
