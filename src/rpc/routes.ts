import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders as IncomingHttpHeaders2, ServerHttp2Stream } from "node:http2";
import { Health } from "@valinor/proto/grpc/health/v1/health";
import { ServerReflection } from "@valinor/proto/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionV1Alpha } from "@valinor/proto/grpc/reflection/v1alpha/reflection";
import { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentRegistry } from "@valinor/proto/valinor/v1/agent_registry";
import { createAdapter, type NodeHandler } from "./messages/adapter.ts";
import { agentProxy } from "./agent-proxy.ts";
import { agentRegistry } from "./agents.ts";
import { serveConnect } from "./direct/connect-wire.ts";
import { type BeginStream, serveGrpc } from "./direct/grpc-wire.ts";
import { directMethods } from "./direct/method.ts";
import { coalesceStream } from "./coalesce.ts";
import { createRpcFront } from "./messages/front.ts";
import { health, type HealthServices } from "./health.ts";
import { boundsOf } from "./messages/message-bounds.ts";
import { answersWith, peerValues } from "./peer.ts";
import { reflection, reflectionV1Alpha } from "./reflection.ts";
import { createRequestGate } from "./unary.ts";

/** What the RPC handler needs. */
export interface RpcOptions extends HealthServices {
  /** Takes what is no RPC. */
  readonly fallback: NodeHandler;
  /** Whether frequent unary calls are answered without the library's pipeline; for the test that compares the two. Default true. */
  readonly direct?: boolean;
}

/** Answers RPCs, and hands on what is none. */
export interface RpcHandler extends NodeHandler {
  /** As `serveGrpc`. */
  readonly onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders2) => BeginStream | undefined;
}

/** Where the one RPC is whose answer goes past the library. */
const STREAM_PATH = `/${AgentProxy.typeName}/${AgentProxy.method.stream.name}`;

/** What is served. */
const services = [AgentProxy, AgentRegistry, Health, ServerReflection, ServerReflectionV1Alpha];

/** Serves AgentProxy, AgentRegistry, grpc.health.v1 and gRPC's reflection over Connect, gRPC and gRPC-Web, its text form included. */
export function createRpcHandler(options: RpcOptions): RpcHandler {
  const front = createRpcFront(services);
  const adapter = createServices(options);
  const methods: ReturnType<typeof directMethods> =
    options.direct === false ? new Map() : directMethods(options);
  const handle: NodeHandler = (req, res) => {
    // Both listeners hand out node:http's shapes; connect-node's types only widen them.
    const request = req as IncomingMessage;
    const response = res as ServerResponse;
    const admitted = front.admit(request, response);
    if (request.url === STREAM_PATH) answersWith(request, response);
    if (admitted === undefined) options.fallback(req, res);
    else if (admitted && !serveConnect(options, methods, request, response)) adapter(req, res);
  };
  return Object.assign(handle, {
    onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders2) =>
      serveGrpc(options, methods, stream, headers),
  });
}

function createServices(options: RpcOptions): NodeHandler {
  return createAdapter({
    boundsOf,
    gate: createRequestGate(options),
    contextValues: peerValues,
    services(serve) {
      serve(AgentProxy, agentProxy(options));
      serve(AgentRegistry, agentRegistry(options));
      serve(Health, health(options));
      serve(ServerReflection, reflection(options.stopping));
      serve(ServerReflectionV1Alpha, reflectionV1Alpha(options.stopping));
    },
    replace: (handler) => (handler.method === AgentProxy.method.stream ? coalesceStream(handler) : handler),
    fallback: options.fallback,
  });
}
