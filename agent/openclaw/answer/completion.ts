import type { UsageJson } from "@valinor/proto/valinor/link/v1/link";
import { endsInHighSurrogate, Failure, isObject, isUint32, type UnknownObject } from "@valinor/protocol";
import type { Bounds } from "../../bounds.ts";
import type { ModelEvent } from "../../runs/model.ts";
import { hasReasoning, textOf } from "./content.ts";
import { describeError } from "../describe.ts";
import { readReason, UNKNOWN_REASON } from "./finish.ts";
import { ToolCalls } from "./tool-calls.ts";
import { readUsage } from "./usage.ts";

/** How an answer ended: `told` by its end mark or because it came whole, or `closed` with its connection alone. */
export type AnswerEnd = "told" | "closed";

/** Makes events of the JSON of an OpenAI-style answer, streamed or whole: text of choice 0, tool calls of every choice. */
export class Completion {
  readonly #emit: (event: ModelEvent) => void;
  readonly #onId: (id: string) => void;
  readonly #calls: ToolCalls;
  readonly #text: Text;
  #id: string | undefined;
  /** Whether anything came that a model made. */
  #heard = false;
  #reasoned = false;
  #streamed = false;
  #finishReason: string | undefined;
  #usage: UsageJson | undefined;

  /** Hands events to `emit`. `onId` is called once with the answer's id, before any event, if it has one. */
  constructor(bounds: Bounds, emit: (event: ModelEvent) => void, onId: (id: string) => void = () => {}) {
    this.#emit = emit;
    this.#onId = onId;
    this.#calls = new ToolCalls(bounds, (call) => emit({ kind: "tool_call", call }));
    this.#text = new Text((text) => emit({ kind: "text", text }));
  }

  /** Takes one object, or a list of them. Throws Failure if it is an error or too much. */
  take(value: unknown): void {
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (!list.every(isObject)) throw new Failure("parse_error", "the model's answer is not a JSON object");
    for (const object of list) this.#takeObject(object);
  }

  /**
   * The answer has ended. Without a finish reason, only one that was `told` to end is complete. Throws Failure `empty_response` or
   * `truncated` if it is not complete.
   */
  end(how: AnswerEnd): void {
    const reason = this.#finishReason;
    if (how === "closed" && reason === undefined && this.#heard)
      throw new Failure("truncated", "the model's answer is not complete");
    this.#calls.finishAll();
    if (!this.#saidAnything())
      throw new Failure("empty_response", nothing(this.#heard, this.#reasoned, reason));
    this.#emit({ kind: "finish", finishReason: reason ?? UNKNOWN_REASON, usage: this.#usage });
  }

  /** True once the model said why it stopped: what comes then may add usage, but nothing is missing any more. */
  get finished(): boolean {
    return this.#finishReason !== undefined;
  }

  #takeObject(value: UnknownObject): void {
    checkAnswer(value);
    if (this.#id === undefined && typeof value["id"] === "string") this.#onId((this.#id = value["id"]));
    const choices: readonly unknown[] = Array.isArray(value["choices"]) ? value["choices"] : [];
    this.#heard ||= choices.length > 0;
    for (let position = 0; position < choices.length; position++) {
      const choice = choices[position];
      if (isObject(choice)) this.#takeChoice(choice, position);
    }
    this.#usage = readUsage(value) ?? this.#usage;
  }

  #takeChoice(choice: UnknownObject, position: number): void {
    checkError(choice);
    const index = isUint32(choice["index"]) ? choice["index"] : position;
    const { delta, message } = choice;
    if (isObject(delta)) {
      this.#streamed = true;
      this.#takeDelta(index, delta, false);
      // Some servers repeat the whole message at the end of a stream.
    } else if (isObject(message) && !(this.#streamed && this.#saidAnything()))
      this.#takeDelta(index, message, true);
    else if (typeof choice["text"] === "string" && index === 0) this.#text.take(choice["text"]);
    const reason = readReason(choice["finish_reason"]);
    if (reason === undefined) return;
    this.#calls.finish(index);
    if (index === 0) this.#finishReason = reason;
  }

  #takeDelta(index: number, delta: UnknownObject, whole: boolean): void {
    const { tool_calls: toolCalls, function_call: functionCall } = delta;
    if (index === 0) this.#text.take(textOf(delta));
    if (!this.#reasoned && !this.#text.any) this.#reasoned = hasReasoning(delta);
    this.#calls.take(index, toolCalls, whole);
    if (isObject(functionCall) && !hasAny(toolCalls))
      this.#calls.take(index, [{ function: functionCall }], whole);
  }

  #saidAnything(): boolean {
    return this.#text.any || this.#calls.any;
  }
}

/** Hands text on, well-formed: half of a surrogate pair at the end of a piece waits for the other half. */
class Text {
  readonly #emit: (text: string) => void;
  #held = "";
  #any = false;

  constructor(emit: (text: string) => void) {
    this.#emit = emit;
  }

  take(piece: string): void {
    if (piece === "") return;
    let whole = this.#held + piece;
    this.#held = "";
    if (endsInHighSurrogate(whole, whole.length)) {
      this.#held = whole.slice(-1);
      whole = whole.slice(0, -1);
    }
    if (whole === "") return;
    this.#any = true;
    this.#emit(whole.isWellFormed() ? whole : whole.toWellFormed());
  }

  /** True once something was handed on. */
  get any(): boolean {
    return this.#any;
  }
}

/** Throws Failure `openclaw_error` for an object that tells of an error: under `error`, or in another shape instead of an answer. */
function checkAnswer(value: UnknownObject): void {
  checkError(value);
  if (value["object"] === "error" || value["type"] === "error" || isBareError(value)) throw reported(value);
}

/** The same for what is under `error` alone; an empty object is no error. */
function checkError(value: UnknownObject): void {
  const { error } = value;
  if (!error || (isObject(error) && Object.keys(error).length === 0)) return;
  throw reported(typeof error === "object" || typeof error === "string" ? error : value);
}

function reported(error: unknown): Failure {
  return new Failure("openclaw_error", `OpenClaw reports: ${describeError(error)}`);
}

/** True for `{"detail":...}`, `{"message":"..."}` or `{"errors":[...]}` in the place of an answer. */
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
