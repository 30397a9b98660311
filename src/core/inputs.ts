import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { AgentChanges, AgentRecord } from "../store/store.ts";

/** A message as a client gave it. */
export interface MessageInput {
  readonly role: "user" | "tool";
  /** Empty only if the role is `tool`. */
  readonly content: string;
  /** The call that the content answers, if the role is `tool`. */
  readonly toolCallId?: string;
  /** Turns before this one, in the shape of OpenAI's chat messages. Guests of protocol 1 take none. */
  readonly history?: readonly JsonObject[];
  /**
   * All turns before this one, if `history` holds only those that a lasting conversation lacks: sent in its place to a guest whose
   * server keeps no conversations.
   */
  readonly wholeHistory?: readonly JsonObject[];
  /** Tools of the client, in the shape of OpenAI's `tools`. Guests of protocol 1 take none. */
  readonly tools?: readonly JsonObject[];
  /** Which of `tools` the model is to call: as OpenAI's `tool_choice`. */
  readonly toolChoice?: JsonValue;
  /** The client's own keys, passed on to the guest (REST only). Names of the link's own fields are dropped. */
  readonly extra?: JsonObject;
}

/** What `send` needs. */
export interface SendInput {
  readonly agentId: string;
  readonly message: MessageInput;
  /** Empty: a fresh conversation. */
  readonly conversationId: string;
  /** Empty: made by the server. */
  readonly requestId: string;
  readonly allowStaleConfig: boolean;
  /** Absent: `continue` if requestId was given, else `cancel`. */
  readonly onDisconnect?: "continue" | "cancel";
}

/** What `stream` needs. */
export interface StreamInput extends Omit<SendInput, "message"> {
  /** Absent: only attach to requestId. */
  readonly message?: MessageInput;
  /** Events up to this one are not wanted; above 0 the call only attaches. */
  readonly afterSequence: number;
  /** Life of the run that is meant, as `opened` told it; if it is given, the call only attaches. Empty: whichever run has the name. */
  readonly life?: string;
}

/** What `cancel` needs. */
export interface CancelInput {
  readonly agentId: string;
  readonly requestId: string;
  /** For the agent's log; may be empty. */
  readonly reason: string;
}

/** Tools that an agent may use. */
export interface ToolPolicyInput {
  readonly mode: "all" | "listed";
  readonly tools: readonly string[];
}

/** What `pushConfig` needs. */
export interface PushConfigInput {
  readonly agentId: string;
  readonly config: JsonObject;
  readonly policy: ToolPolicyInput;
  /** Revision that must be the current one; 0: any. */
  readonly expectedRevision: number;
}

/** What `pushContext` needs. */
export interface PushContextInput {
  readonly agentId: string;
  /** Name of the entry; empty: the default entry. */
  readonly key: string;
  /** The client's whole object; it has `context` and maybe `key`. */
  readonly payload: JsonObject;
}

/** What `createAgent` needs. */
export interface CreateAgentInput {
  readonly id: string;
  readonly status: AgentRecord["status"];
  /** 0: none. */
  readonly vsockCid: number;
  /** Empty: none of its own. */
  readonly address: string;
}

/** What `listAgents` needs. */
export interface ListAgentsInput {
  /** 0: the server's default. */
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
}

/** What `updateAgent` needs. */
export interface UpdateAgentInput {
  readonly agentId: string;
  readonly changes: AgentChanges;
  /** Must be the agent's current etag; empty: any. */
  readonly etag: string;
}

/** What `listConfigRevisions` needs. */
export interface ListRevisionsInput {
  readonly agentId: string;
  /** 0: the server's default. */
  readonly pageSize: number;
  readonly pageToken: string;
}

/** What `rollbackConfig` needs. */
export interface RollbackInput {
  readonly agentId: string;
  /** Revision to bring back. */
  readonly revision: number;
  /** Revision that must be the current one; 0: any. */
  readonly expectedRevision: number;
}
