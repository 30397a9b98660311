import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { AgentChanges, AgentRecord, ConfigRecord } from "../store/store.ts";

/** What a caller may do; from the credential alone. */
export type Permission = "agents:read" | "agents:write" | "agents:admin" | "platform:admin";

/** Who calls. */
export interface Caller {
  readonly tenant: string;
  /** The user or service within the tenant; runs and conversations are its own. */
  readonly subject: string;
  readonly permissions: ReadonlySet<Permission>;
  /** What it proved itself with, as Actor.credential. */
  readonly credential: string;
  /** For calls that last: rejects with UNAUTHENTICATED once the credential has expired or was revoked. Absent: it never does. */
  readonly recheck?: () => Promise<void>;
}

/** A message as a client gave it. */
export interface MessageInput {
  readonly role: "user" | "tool";
  /** Not empty, but where the role is `tool`. */
  readonly content: string;
  /** Where the role is `tool`: the call that the content answers. */
  readonly toolCallId?: string;
  /** Turns before this one, in the shape of OpenAI's chat messages. Guests of protocol 1 take none. */
  readonly history?: readonly JsonObject[];
  /**
   * All turns before this one, where `history` holds only those that a lasting conversation lacks: sent in its place to a guest whose
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
  /** Absent: `continue` where requestId was given, else `cancel`. */
  readonly onDisconnect?: "continue" | "cancel";
}

/** What `stream` needs. */
export interface StreamInput extends Omit<SendInput, "message"> {
  /** Absent: only attach to requestId. */
  readonly message?: MessageInput;
  /** Events up to this one are not wanted; above 0 the call only attaches. */
  readonly afterSequence: number;
  /** Life of the run that is meant, as `opened` told it; where it is given the call only attaches. Empty: whichever has the name. */
  readonly life?: string;
}

/** Tokens used. */
export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
}

/** A call of a client tool. */
export interface ToolCallEvent {
  readonly kind: "tool_call";
  readonly sequence: number;
  readonly callId: string;
  readonly toolName: string;
  readonly arguments: string;
}

/** An event of a run as its readers see it. Errors are not events: they are thrown. */
export type RunEvent =
  | { readonly kind: "text"; readonly sequence: number; readonly text: string }
  | ToolCallEvent
  | { readonly kind: "keepalive" }
  | {
      readonly kind: "done";
      readonly sequence: number;
      readonly finishReason: string;
      readonly usage?: Usage;
    };

/** What is known of a run once the guest has taken the message. */
export interface RunOpened {
  readonly requestId: string;
  readonly bootId: string;
  readonly attached: boolean;
  readonly resumable: boolean;
  /** Name of the run's life; empty where the guest names none. */
  readonly life: string;
}

/** A run that is being read. */
export interface RunStream {
  readonly opened: RunOpened;
  /**
   * The events that came since the last call, at least one: all frames of one read of the link together. undefined after
   * `done`. Calling again says that the events before were delivered: it is what lets the guest send more. Rejects with
   * ValinorError (its metadata has `request_id`, and `sequence` where the error ended the run); from then on the stream is over.
   */
  next(): Promise<readonly RunEvent[] | undefined>;
  /** The reader leaves; its onDisconnect applies. Does nothing after the end. */
  close(): void;
}

/** Answer of `send`. */
export interface SendResult {
  readonly requestId: string;
  readonly content: string;
  readonly finishReason: string;
  readonly usage?: Usage;
  readonly toolCalls: readonly ToolCallEvent[];
  /** False for guests of protocol 1: the same call again runs the message again. */
  readonly resumable: boolean;
}

/** Tools that an agent may use. */
export interface ToolPolicyInput {
  readonly mode: "all" | "listed";
  readonly tools: readonly string[];
}

/** What became of a push. */
export interface PushResult {
  readonly revision: number;
  readonly applied: boolean;
  readonly reason: string;
}

/** What became of a context entry. */
export interface ContextResult {
  readonly applied: boolean;
  readonly reason: string;
  /** The agent turned it down; it is not kept. */
  readonly refused: boolean;
  /** The agent is connected and did not acknowledge it in time; it is kept, and pushed again on the next connect. */
  readonly timedOut: boolean;
}

/** What the control plane knows of an agent. */
export interface AgentStatusView {
  readonly agent: AgentRecord;
  readonly connected: boolean;
  readonly protocol: number;
  readonly guestStatus: string;
  readonly bootId: string;
  readonly agentVersion: string;
  readonly heartbeatAgeSecs: number | undefined;
  readonly inFlight: number;
  readonly openclaw: string;
  readonly openclawKind: string;
  /** How the agent knows that, in its words. */
  readonly openclawKindReason: string;
  /** `disk` or `memory`: where it remembers the requests that it has taken; empty where it does not tell. */
  readonly remembers: string;
  readonly observedRevision: number;
  /** `assumed`: a guest of protocol 1 said so, and can't name the revision. */
  readonly configState: "unknown" | "pending" | "applied" | "refused" | "assumed";
  readonly configReason: string;
  readonly lastError: string;
}

/** A page of agents. */
export interface AgentPage {
  readonly agents: readonly AgentStatusView[];
  readonly nextPageToken: string;
}

/** What a watcher is told. */
export type WatchEvent =
  | { readonly kind: "agent"; readonly agent: AgentStatusView }
  | { readonly kind: "deleted"; readonly agentId: string }
  | { readonly kind: "snapshot_complete" }
  /** Changes may have been lost: a new snapshot follows. */
  | { readonly kind: "resync"; readonly reason: string }
  | { readonly kind: "keepalive" };

/** A revision as it is shown: secrets are redacted. */
export interface ConfigRevisionView extends ConfigRecord {
  /** JSON pointers into `{config, tool_policy}`; at most 100. */
  readonly changedPaths: readonly string[];
}

/** A page of revisions. */
export interface ConfigRevisionPage {
  readonly revisions: readonly ConfigRevisionView[];
  readonly nextPageToken: string;
}

/** The calls that clients make, whatever they speak. Each authorizes its caller first and rejects with ValinorError. */
export interface Core {
  /**
   * Counts a request and checks that its caller may come through a door, which is an RPC or REST route named as in the access table
   * (authorize.ts), before its body is read. The answer is the caller to make the request's call with. Rejects or throws.
   */
  admit(caller: Caller, door: string, agentId?: string): Caller | Promise<Caller>;
  /** Runs a message to its end. The signal is the client's: when it aborts, the run follows its onDisconnect. */
  send(caller: Caller, input: SendInput, signal: AbortSignal): Promise<SendResult>;
  /**
   * Opens a stream; resolves once the guest has taken the message. After that `signal` no longer matters: use close(). `drop` ends the client's
   * end of it: called if the client does not read and the memory of what waits for it is needed. Rejects with LIMIT_EXCEEDED while too much does.
   */
  stream(caller: Caller, input: StreamInput, signal: AbortSignal, drop?: () => void): Promise<RunStream>;
  cancel(
    caller: Caller,
    input: { agentId: string; requestId: string; reason: string },
    signal: AbortSignal,
  ): Promise<boolean>;
  pushConfig(
    caller: Caller,
    input: { agentId: string; config: JsonObject; policy: ToolPolicyInput; expectedRevision: number },
    signal: AbortSignal,
  ): Promise<PushResult>;
  /** `payload` is the client's whole object; it has `context` and maybe `key`. */
  pushContext(
    caller: Caller,
    input: { agentId: string; key: string; payload: JsonObject },
    signal: AbortSignal,
  ): Promise<ContextResult>;
  status(caller: Caller, agentId: string): Promise<AgentStatusView>;
  createAgent(
    caller: Caller,
    input: { id: string; status: AgentRecord["status"]; vsockCid: number; address: string },
  ): Promise<AgentStatusView>;
  getAgent(caller: Caller, agentId: string): Promise<AgentStatusView>;
  listAgents(
    caller: Caller,
    input: { pageSize: number; pageToken: string; filter: string },
  ): Promise<AgentPage>;
  /** Empty etag: any. */
  updateAgent(
    caller: Caller,
    input: { agentId: string; changes: AgentChanges; etag: string },
  ): Promise<AgentStatusView>;
  deleteAgent(caller: Caller, agentId: string): Promise<void>;
  /** Ends without an error when the signal aborts. */
  watchAgents(caller: Caller, signal: AbortSignal): AsyncIterable<WatchEvent>;
  listConfigRevisions(
    caller: Caller,
    input: { agentId: string; pageSize: number; pageToken: string },
  ): Promise<ConfigRevisionPage>;
  rollbackConfig(
    caller: Caller,
    input: { agentId: string; revision: number; expectedRevision: number },
    signal: AbortSignal,
  ): Promise<PushResult>;
}
