import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
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
import { typedErrors } from "./calls.ts";
import { collect, type SendResult } from "./collect.ts";
import type { RetryOptions } from "./retry.ts";
import { createStream, type EventStream } from "./stream.ts";
import { type AgentsView, watchAgents, type WatchOptions } from "./watch.ts";

/** An API key or a JWT, or a function that gives one: it is asked for every call, so that tokens can be renewed. */
export type Credential = string | (() => string | Promise<string>);

/** Where the server is, or a transport that knows; see Connect's documentation for transports. */
export type ClientOptions =
  | {
      /** Such as `https://valinor.example.com`. Calls go by `fetch`, in Node as in browsers. */
      readonly baseUrl: string;
      /** Sent as `Authorization: Bearer`. */
      readonly apiKey?: Credential;
    }
  | {
      /** Such as one of `@connectrpc/connect-node`, for gRPC or one HTTP/2 connection for all calls. */
      readonly transport: Transport;
    };

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
}

/** How a message is run. */
export interface StreamOptions extends ReadOptions {
  /** Name of the run, 1 to 128 of `A-Z a-z 0-9 . _ : -`; default: a random one. The same name never runs twice. */
  readonly requestId?: string;
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
   * and the message never runs twice. The loop ends after `done`; leaving it earlier cancels the run. It rejects where the run
   * ended in an error (which has `sequence`), where no retry can help, or after `giveUpAfterMs` without progress.
   */
  stream(agentId: string, message: MessageInput, options?: StreamOptions): EventStream;
  /** Reads a run that exists, in the same way; RUN_UNKNOWN where there is none. */
  attach(agentId: string, requestId: string, options?: AttachOptions): EventStream;
  /** Runs a message and gives the whole answer. It is read as a stream: it may be long, in time and in size. */
  send(agentId: string, message: MessageInput, options?: StreamOptions): Promise<SendResult>;
  /** Ends a run; its readers get RUN_CANCELLED. */
  cancel(agentId: string, requestId: string, reason?: string): Promise<CancelMessageResponse>;
  /** What is known of an agent, without asking it. */
  status(agentId: string): Promise<GetAgentStatusResponse>;
  /** Replaces an agent's whole configuration; `applied` is true only where the agent has acknowledged this very one. */
  pushConfig(agentId: string, config: ConfigInput): Promise<PushConfigResponse>;
  /** Sets an entry of an agent's context; an empty text removes it. */
  pushContext(agentId: string, context: string, key?: string): Promise<PushContextResponse>;
  /** Watches the tenant's agents as one continuous view; see `AgentsView`. */
  watchAgents(options?: WatchOptions): AsyncGenerator<AgentsView, undefined>;
  /** The registry's calls as they are: create, get, list, update and delete agents, list and roll back configurations. */
  readonly agents: Client<typeof AgentRegistry>;
  /** AgentProxy's calls as they are, without retries. */
  readonly proxy: Client<typeof AgentProxy>;
}

/** Makes a client. It holds no connection open: there is nothing to close. */
export function createValinorClient(options: ClientOptions): ValinorClient {
  const transport = typedErrors("transport" in options ? options.transport : fetchTransport(options));
  const proxy = createClient(AgentProxy, transport);
  const agents = createClient(AgentRegistry, transport);
  const client: ValinorClient = {
    stream: (agentId, message, options) => createStream(proxy, { agentId, message, ...options }),
    attach: (agentId, requestId, options) => createStream(proxy, { agentId, requestId, ...options }),
    send: (agentId, message, options) => collect(client.stream(agentId, message, options)),
    cancel: (agentId, requestId, reason = "") => proxy.cancelMessage({ agentId, requestId, reason }),
    status: (agentId) => proxy.getAgentStatus({ agentId }),
    pushConfig: (agentId, config) => proxy.pushConfig({ ...config, agentId }),
    pushContext: (agentId, context, key = "") => proxy.pushContext({ agentId, context, key }),
    watchAgents: (options) => watchAgents(agents, options),
    agents,
    proxy,
  };
  return client;
}

function fetchTransport(options: { readonly baseUrl: string; readonly apiKey?: Credential }): Transport {
  const { baseUrl, apiKey } = options;
  return createConnectTransport({ baseUrl, interceptors: apiKey === undefined ? [] : [authorize(apiKey)] });
}

function authorize(credential: Credential): Interceptor {
  return (next) => async (request) => {
    const token = typeof credential === "string" ? credential : await credential();
    request.header.set("Authorization", `Bearer ${token}`);
    return next(request);
  };
}
