import type { IncomingMessage, ServerResponse } from "node:http";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createValidateInterceptor } from "@connectrpc/validate";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { agentProxy } from "./agent-proxy.ts";
import { agentRegistry } from "./agents.ts";
import { coalesceStream } from "./coalesce.ts";
import { ERROR_DOMAIN } from "./errors.ts";
import { createRpcFront, MAX_TIMEOUT_MS } from "./front.ts";
import { withGrpcWebText } from "./grpc-web-text.ts";
import { health, type HealthServices } from "./health.ts";
import { peerValues } from "./peer.ts";
import { reflection, reflectionV1Alpha } from "./reflection.ts";
import { identifyGate } from "./unary.ts";

/** Largest request message; the largest legal one is a configuration of 1 MiB, escaped. */
const READ_MAX_BYTES = 4 * 1024 * 1024;

/** A handler of node:http and node:http2 servers, as connect-node has it. */
export type NodeHandler = ReturnType<typeof connectNodeAdapter>;

/** What the RPC handler needs. */
export interface RpcOptions extends HealthServices {
  /** Takes what is no RPC. */
  readonly fallback: NodeHandler;
}

/** What is served. */
const services = [AgentProxy, AgentRegistry, Health, ServerReflection, ServerReflectionV1Alpha];

/** Serves AgentProxy, AgentRegistry, grpc.health.v1 and gRPC's reflection over Connect, gRPC and gRPC-Web, its text form included. */
export function createRpcHandler(options: RpcOptions): NodeHandler {
  const front = createRpcFront(services);
  const adapter = createAdapter(options);
  return (req, res) => {
    // Both listeners hand out node:http's shapes; connect-node's types only widen them.
    const admitted = front.admit(req as IncomingMessage, res as ServerResponse);
    if (admitted === undefined) options.fallback(req, res);
    else if (admitted) adapter(req, res);
  };
}

function createAdapter(options: RpcOptions): NodeHandler {
  return connectNodeAdapter({
    readMaxBytes: READ_MAX_BYTES,
    maxTimeoutMs: MAX_TIMEOUT_MS,
    requestGate: identifyGate(options),
    contextValues: peerValues,
    interceptors: [withErrorInfo, createValidateInterceptor()],
    routes(router) {
      router.service(AgentProxy, agentProxy(options));
      router.service(AgentRegistry, agentRegistry(options));
      router.service(Health, health(options));
      router.service(ServerReflection, reflection(options.stopping));
      router.service(ServerReflectionV1Alpha, reflectionV1Alpha(options.stopping));
      const at = router.handlers.findIndex((handler) => handler.method === AgentProxy.method.stream);
      const handler = router.handlers[at];
      if (handler === undefined) throw new Error("the router has no handler for Stream");
      router.handlers[at] = coalesceStream(handler);
      router.handlers.splice(0, Infinity, ...router.handlers.map(withGrpcWebText));
    },
    fallback: options.fallback,
  });
}

/** Gives a request that broke a validation rule the ErrorInfo that every other error has. */
const withErrorInfo: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (
      error instanceof ConnectError &&
      error.code === Code.InvalidArgument &&
      error.findDetails(ErrorInfoSchema).length === 0
    ) {
      error.details.push({
        desc: ErrorInfoSchema,
        value: { reason: "INVALID_ARGUMENT", domain: ERROR_DOMAIN },
      });
    }
    throw error;
  }
};
