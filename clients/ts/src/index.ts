// The package's entry: what a user imports stands here by name, and nothing else does.
export type { CallerOptions, Credential } from "./calls.ts";
export {
  type AttachOptions,
  type CallOptions,
  type ClientOptions,
  type ConfigInput,
  createValinorClient,
  type MessageInput,
  type ReadOptions,
  type StreamOptions,
  type ValinorClient,
} from "./client.ts";
export type { SendResult } from "./collect.ts";
export { type CodeName, isReason, ValinorError } from "./errors.ts";
export type {
  DoneEvent,
  OpenedEvent,
  StreamEvent,
  TextEvent,
  TokenUsage,
  ToolCall,
  ToolCallEvent,
} from "./events.ts";
export type { Reason } from "./reasons.ts";
export type { ClientReason, KnownReason } from "@valinor/proto/reasons";
export type { RetryNotice, RetryOptions } from "./retry.ts";
export type { Delivery } from "./progress.ts";
export type { Slots } from "./slots.ts";
export type { EventStream } from "./stream.ts";
export type { AgentsView, WatchOptions } from "./watch.ts";
export type { Agent } from "@valinor/proto/valinor/v1/agent_registry";
export { AgentStatus, ConfigState, ToolPolicy_Mode } from "@valinor/proto/valinor/v1/types";
