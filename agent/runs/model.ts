import type { UsageJson } from "@valinor/proto/valinor/link/v1/link";
import type { ClientTool, UnknownObject } from "@valinor/protocol";
import type { ModelSettings } from "../settings/model-settings.ts";

/** What a run asks of the model. */
export interface ModelRequest {
  readonly role: "user" | "tool";
  readonly content: string;
  /** Call that a message of role `tool` answers. */
  readonly toolCallId: string | undefined;
  /** Turns before this one that the server does not know yet. */
  readonly history: readonly UnknownObject[];
  readonly tools: readonly ClientTool[];
  /** Undefined: the server's default. */
  readonly toolChoice: unknown;
  /** Empty: a fresh conversation. */
  readonly conversationId: string;
  /** System messages, in order. */
  readonly systemTexts: readonly string[];
  readonly settings: ModelSettings;
}

/** A tool call that the model has written to its end. All its texts are well-formed. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** What comes of a model's answer. */
export type ModelEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "tool_call"; readonly call: ToolCall }
  /** The last event of an answer that is complete. */
  | { readonly kind: "finish"; readonly finishReason: string; readonly usage: UsageJson | undefined };
