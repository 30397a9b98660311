import type { AgentRecord, ConfigRecord } from "../store/store.ts";
import type {
  CancelInput,
  CreateAgentInput,
  ListAgentsInput,
  ListRevisionsInput,
  PushConfigInput,
  PushContextInput,
  RollbackInput,
  SendInput,
  StreamInput,
  UpdateAgentInput,
} from "./inputs.ts";

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
  /** Name of the run's life; empty if the guest names none. */
  readonly life: string;
}

/** A run that is being read. */
export interface RunStream {
  readonly opened: RunOpened;
  /**
   * The events that came since the last call, at least one: all frames of one read of the link together. undefined after
   * `done`. Calling again says that the events before were delivered: it is what lets the guest send more. Rejects with
   * ValinorError (its metadata has `request_id`, and `sequence` if the error ended the run); from then on the stream is over.
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
  /** `disk` or `memory`: where it remembers the requests that it has taken; empty if it does not tell. */
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

/** The client's end of a call, for calls so frequent that an AbortSignal costs too much of them. */
export interface Departure {
  /** True once nobody waits for the answer any more: the client has left, or its deadline has passed. */
  readonly aborted: boolean;
  /** Calls back once, when that comes; at once if it has come. For one who waits: the next one takes its place. */
  onGone(call: () => void): void;
  /** The same as a signal; it is made if it is asked for. */
  readonly signal: AbortSignal;
}

/** Either of them as a signal. */
export function signalOf(client: AbortSignal | Departure): AbortSignal {
  return "onGone" in client ? client.signal : client;
}

/** The calls that clients make, whatever they speak. Each authorizes its caller first and rejects with ValinorError. */
export interface Core {
  /**
   * Counts a request and checks that its caller may come through a door, which is an RPC or REST route named as in the access table
   * (authorize.ts), before its body is read. The answer is the caller to make the request's call with. Rejects or throws.
   */
  admit(caller: Caller, door: string, agentId?: string): Caller | Promise<Caller>;
  /** Runs a message to its end. `client` is the client's end of it: when it aborts, the run follows its onDisconnect. */
  send(caller: Caller, input: SendInput, client: AbortSignal | Departure): Promise<SendResult>;
  /**
   * Opens a stream; resolves once the guest has taken the message. After that `signal` no longer matters: use close(). `drop` ends the client's
   * end of it: called if the client does not read and the memory of what waits for it is needed. Rejects with LIMIT_EXCEEDED while too much does.
   */
  stream(caller: Caller, input: StreamInput, signal: AbortSignal, drop?: () => void): Promise<RunStream>;
  /** Ends a run; false if the agent knows no such run, or speaks protocol 1. */
  cancel(caller: Caller, input: CancelInput, signal: AbortSignal): Promise<boolean>;
  /** Stores a configuration and pushes it to the agent. */
  pushConfig(caller: Caller, input: PushConfigInput, signal: AbortSignal): Promise<PushResult>;
  /** Stores an entry of the agent's context and pushes it; an entry that the agent refuses is not kept. */
  pushContext(caller: Caller, input: PushContextInput, signal: AbortSignal): Promise<ContextResult>;
  status(caller: Caller, agentId: string): Promise<AgentStatusView>;
  createAgent(caller: Caller, input: CreateAgentInput): Promise<AgentStatusView>;
  getAgent(caller: Caller, agentId: string): Promise<AgentStatusView>;
  listAgents(caller: Caller, input: ListAgentsInput): Promise<AgentPage>;
  updateAgent(caller: Caller, input: UpdateAgentInput): Promise<AgentStatusView>;
  deleteAgent(caller: Caller, agentId: string): Promise<void>;
  /** Ends without an error when the signal aborts. */
  watchAgents(caller: Caller, signal: AbortSignal): AsyncIterable<WatchEvent>;
  listConfigRevisions(caller: Caller, input: ListRevisionsInput): Promise<ConfigRevisionPage>;
  /** Makes an old revision the desired configuration again, as a new revision. */
  rollbackConfig(caller: Caller, input: RollbackInput, signal: AbortSignal): Promise<PushResult>;
}
