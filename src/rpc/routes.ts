import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { createAdapter, type NodeHandler } from "./adapter.ts";
import { agentProxy } from "./agent-proxy.ts";
import { agentRegistry } from "./agents.ts";
import { coalesceStream } from "./coalesce.ts";
import { health, type HealthServices } from "./health.ts";
import { boundsOf } from "./message-bounds.ts";
import { peerValues } from "./peer.ts";
import { reflection, reflectionV1Alpha } from "./reflection.ts";
import { createRequestGate } from "./unary.ts";

/** What the RPC handler needs. */
export interface RpcOptions extends HealthServices {
  /** Takes what is no RPC. */
  readonly fallback: NodeHandler;
}

/** Serves AgentProxy, AgentRegistry, grpc.health.v1 and gRPC's reflection over Connect, gRPC and gRPC-Web. */
export function createRpcHandler(options: RpcOptions): NodeHandler {
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
