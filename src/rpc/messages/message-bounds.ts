import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Health } from "@valinor/proto/grpc/health/v1/health";
import { ServerReflection } from "@valinor/proto/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionV1Alpha } from "@valinor/proto/grpc/reflection/v1alpha/reflection";
import { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import { requestLimits } from "../../core/request-limits.ts";

/** What a request message of an RPC may be. */
export interface MessageBounds {
  /** Most bytes of it, compressed or not. */
  readonly bytes: number;
  /** Whether it may be compressed. */
  readonly compressed: boolean;
}

/** Services that anybody may call have no message that is worth compressing: names, and nothing else. */
const open: ReadonlySet<DescService> = new Set([Health, ServerReflection, ServerReflectionV1Alpha]);
const OPEN: MessageBounds = { bytes: requestLimits.openBytes, compressed: false };

const SMALL: MessageBounds = { bytes: requestLimits.smallBytes, compressed: true };

/** Bound of messages with a long text: the longest text that is legal, as JSON commonly escapes it. */
const large: ReadonlyMap<DescMethod, MessageBounds> = new Map<DescMethod, MessageBounds>([
  [AgentProxy.method.sendMessage, { bytes: requestLimits.largeBytes, compressed: true }],
  [AgentProxy.method.stream, { bytes: requestLimits.largeBytes, compressed: true }],
  [AgentProxy.method.pushConfig, { bytes: requestLimits.largeBytes, compressed: true }],
  [AgentProxy.method.pushContext, { bytes: requestLimits.contextBytes, compressed: true }],
]);

/** The bounds of an RPC's request message. */
export function boundsOf(method: DescMethod): MessageBounds {
  return open.has(method.parent) ? OPEN : (large.get(method) ?? SMALL);
}
