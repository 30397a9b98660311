import type { UsageJson } from "../../gen/ts/valinor/link/v1/link_pb.ts";
import type { UnknownObject } from "../../src/wire/frame.ts";
import type { Bounds } from "../bounds.ts";
import { endsInHighSurrogate } from "../events.ts";
import { Failure } from "../failure.ts";
import { isObject, isUint32 } from "../../src/wire/values.ts";
import { describeError } from "./describe.ts";
import { createToolCalls, type ToolCall } from "./tool-calls.ts";

/** What comes of a model's answer. */
export type ModelEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "tool_call"; readonly call: ToolCall }
  /** The last event of an answer that is complete. */
  | { readonly kind: "finish"; readonly finishReason: string; readonly usage: UsageJson | undefined };

/** Makes events of the JSON of an OpenAI-style answer, streamed or whole. */
export interface Completion {
  /** Takes one object. Throws Failure where it is an error or too much. */
  take(value: unknown): void;
  /** The answer has ended. Throws Failure `empty_response` or `truncated` where it is not complete. */
  end(): void;
  /** True once the model said why it stopped: what comes then may add usage, but nothing is missing any more. */
  readonly finished: boolean;
}

const FINISH_REASON_LENGTH = 64;

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
  let held = ""; // half of a surrogate pair that the model parted
  let choices = 0;
  let id: string | undefined;
  let finishReason: string | undefined;
  let usage: UsageJson | undefined;

  function takeText(text: string): void {
    let whole = held + text;
    held = "";
    if (endsInHighSurrogate(whole, whole.length)) {
      held = whole.slice(-1);
      whole = whole.slice(0, -1);
    }
    if (whole !== "") emit({ kind: "text", text: whole.isWellFormed() ? whole : whole.toWellFormed() });
  }

  function takeChoice(choice: UnknownObject): void {
    const index = isUint32(choice["index"]) ? choice["index"] : 0;
    const delta = choice["delta"] ?? choice["message"];
    if (isObject(delta)) {
      const { content, tool_calls: toolCalls, function_call: functionCall } = delta;
      if (index === 0 && typeof content === "string" && content !== "") takeText(content);
      if (toolCalls !== undefined) calls.take(index, toolCalls);
      if (isObject(functionCall)) calls.take(index, [{ function: functionCall }]);
    }
    const reason = choice["finish_reason"];
    if (typeof reason !== "string") return;
    calls.finish(index);
    if (index === 0) finishReason = reason.slice(0, FINISH_REASON_LENGTH);
  }

  return {
    take(value) {
      if (!isObject(value)) throw new Failure("parse_error", "the model's answer is not a JSON object");
      if (value["error"])
        throw new Failure("openclaw_error", `OpenClaw reports: ${describeError(value["error"])}`);
      if (id === undefined && typeof value["id"] === "string") onId((id = value["id"]));
      const list = value["choices"];
      if (Array.isArray(list)) {
        for (const choice of list) {
          if (!isObject(choice)) continue;
          choices++;
          takeChoice(choice);
        }
      }
      if (isObject(value["usage"])) usage = readUsage(value["usage"]);
    },
    end() {
      if (choices === 0) throw new Failure("empty_response", "the model's answer holds nothing");
      if (finishReason === undefined) throw new Failure("truncated", "the model's answer is not complete");
      calls.finishAll();
      emit({ kind: "finish", finishReason, usage });
    },
    get finished() {
      return finishReason !== undefined;
    },
  };
}

function readUsage(usage: UnknownObject): UsageJson {
  const count = (name: string) => (isUint32(usage[name]) ? usage[name] : 0);
  return {
    prompt_tokens: count("prompt_tokens"),
    completion_tokens: count("completion_tokens"),
    total_tokens: count("total_tokens"),
  };
}
