import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  AgentProxy,
  type CancelMessageResponse,
  type GetAgentStatusResponse,
  type PushConfigRequestSchema,
  type PushConfigResponse,
  type PushContextResponse,
} from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentRegistry } from "@valinor/proto/valinor/v1/agent_registry";
import { type CallerOptions, typedErrors } from "./calls.ts";
import { collect, type SendResult } from "./collect.ts";
import type { RetryOptions } from "./retry.ts";
import type { Slots } from "./slots.ts";
import { createStream, type EventStream } from "./stream.ts";
import { type AgentsView, watchAgents, type WatchOptions } from "./watch.ts";

/** Where the server is, and who calls it. */
export type ClientOptions = CallerOptions &
  (
    | {
        /** Such as `https://valinor.example.com`. Calls go by `fetch`, in Node as in browsers. */
        readonly baseUrl: string;
      }
    | {
        /** Such as one of `@connectrpc/connect-node`, for gRPC or one HTTP/2 connection for all calls. */
        readonly transport: Transport;
      }
  );

/** How one call that streams nothing is made. */
export interface CallOptions {
  /** Ends the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the call fails; default: the client's `callTimeoutMs`. */
  readonly timeoutMs?: number;
}

/** A message: its text, or its text and role. `tool` is the answer to a client tool's call; default `user`. */
export type MessageInput = string | { readonly role?: "user" | "tool"; readonly content: string };

/** How a run is read. */
export interface ReadOptions extends RetryOptions {
  /**
   * Ends the reading: the loop rejects with the signal's reason, and the run is treated as onDisconnect says.
   */
  readonly signal?: AbortSignal;
  /**
   * What becomes of the run when the loop is left before its last event, or the signal aborts: `cancel` (default of `stream` and
   * `send`), or `continue` (default of `attach`), to be read later by its requestId. A lost connection never cancels.
   */
  readonly onDisconnect?: "cancel" | "continue";
  /** Milliseconds without progress after which an outage is an error; default 60,000. 0: never try again. */
  readonly giveUpAfterMs?: number;
  /** Milliseconds without a word of the server after which the connection counts as lost; default 45,000. */
  readonly silenceMs?: number;
  /** A slot is taken before each call of the stream and given back after it; time that is waited for one counts as no outage. */
  readonly slots?: Slots;
}

/** How a message is run. */
export interface StreamOptions extends ReadOptions {
  /** Name of the run, 1 to 128 of `A-Z a-z 0-9 . _ : -`; default: a random one. The same name never runs twice. */
  readonly requestId?: string;
  /**
   * A stream of this requestId was begun before, by a page or a process that is gone: the agent may have the message. The run is
   * attached to, and the message is sent only if the agent says that it has no such run; never again to agents of protocol 1, which
   * cannot say it. Default false.
   */
  readonly sentBefore?: boolean;
  /** Conversation that the message belongs to; default: a fresh one. */
  readonly conversationId?: string;
  /** Lets an agent answer that has not applied its latest configuration; default false. */
  readonly allowStaleConfig?: boolean;
}

/** How a run that exists is read. */
export interface AttachOptions extends ReadOptions {
  /** Number of the last event that is known; only later ones are given. Default 0: all of them. */
  readonly afterSequence?: number;
  /** Life of the run that is known, as its `opened` event told it: another run of the same name is RUN_LOST. Default: any. */
  readonly life?: string;
}

/** A new configuration of an agent. */
export type ConfigInput = Omit<MessageInitShape<typeof PushConfigRequestSchema>, "agentId" | "$typeName">;

/** A client of one server. Every call rejects with ValinorError, or with the reason of the signal that aborted it. */
export interface ValinorClient {
  /**
   * Runs a message and gives its events as they come. Cuts are mended by themselves: no event is given twice and none is left out,
   * and the message never runs twice. The loop ends after `done`; leaving it earlier cancels the run. It rejects if the run
   * ended in an error (which has `sequence`), if no retry can help, or after `giveUpAfterMs` without progress.
   */
  stream(agentId: string, message: MessageInput, options?: StreamOptions): EventStream;
  /** Reads a run that exists, in the same way; RUN_UNKNOWN if there is none. */
  attach(agentId: string, requestId: string, options?: AttachOptions): EventStream;
  /** Runs a message and gives the whole answer. It is read as a stream: it may be long, in time and in size. */
  send(agentId: string, message: MessageInput, options?: StreamOptions): Promise<SendResult>;
  /** Ends a run; its readers get RUN_CANCELLED. */
  cancel(
    agentId: string,
    requestId: string,
    reason?: string,
    options?: CallOptions,
  ): Promise<CancelMessageResponse>;
  /** What is known of an agent, without asking it. */
  status(agentId: string, options?: CallOptions): Promise<GetAgentStatusResponse>;
  /** Replaces an agent's whole configuration; `applied` is true only if the agent has acknowledged this very one. */
  pushConfig(agentId: string, config: ConfigInput, options?: CallOptions): Promise<PushConfigResponse>;
  /** Sets an entry of an agent's context; an empty text removes it. Default of `key`: the default entry. */
  pushContext(
    agentId: string,
    context: string,
    key?: string,
    options?: CallOptions,
  ): Promise<PushContextResponse>;
  /** Watches the tenant's agents as one continuous view; see `AgentsView`. */
  watchAgents(options?: WatchOptions): AsyncGenerator<AgentsView, undefined>;
  /** The registry's calls as they are: create, get, list, update and delete agents, list and roll back configurations. */
  readonly agents: Client<typeof AgentRegistry>;
  /** AgentProxy's calls as they are, without retries. */
  readonly proxy: Client<typeof AgentProxy>;
}

/** Makes a client. It holds no connection open: there is nothing to close. */
export function createValinorClient(options: ClientOptions): ValinorClient {
  const transport = typedErrors(transportOf(options), options);
  const proxy = createClient(AgentProxy, transport);
  const agents = createClient(AgentRegistry, transport);
  const client: ValinorClient = {
    stream: (agentId, message, options) => createStream(proxy, { agentId, message, ...options }),
    attach: (agentId, requestId, options) => createStream(proxy, { agentId, requestId, ...options }),
    send: (agentId, message, options) => collect(client.stream(agentId, message, options)),
    cancel: (agentId, requestId, reason = "", options) =>
      proxy.cancelMessage({ agentId, requestId, reason }, options),
    status: (agentId, options) => proxy.getAgentStatus({ agentId }, options),
    pushConfig: (agentId, config, options) => proxy.pushConfig({ ...config, agentId }, options),
    pushContext: (agentId, context, key = "", options) =>
      proxy.pushContext({ agentId, context, key }, options),
    watchAgents: (options) => watchAgents(agents, options),
    agents,
    proxy,
  };
  return client;
}

function transportOf(options: ClientOptions): Transport {
  return "transport" in options ? options.transport : createConnectTransport({ baseUrl: options.baseUrl });
}
