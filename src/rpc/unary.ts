import { createContextKey, type HandlerContext } from "@connectrpc/connect";
import { Health } from "@valinor/proto/grpc/health/v1/health";
import { ServerReflection } from "@valinor/proto/grpc/reflection/v1/reflection";
import { ServerReflection as ServerReflectionV1Alpha } from "@valinor/proto/grpc/reflection/v1alpha/reflection";
import { type Identify, TENANT_HEADER } from "../auth/authenticate.ts";
import { toValinorError } from "../core/errors.ts";
import { type Lifecycle, untilCut } from "../core/lifecycle.ts";
import type { Caller, Core } from "../core/types.ts";
import { toConnectError } from "./messages/errors.ts";

/** What the services are made of. */
export interface RpcServices {
  readonly core: Core;
  readonly identify: Identify;
  /** Told of every error that is the server's own fault: clients see only that there was one. */
  readonly onInternalError: (error: unknown) => void;
  /** Lets a unary call end with DRAINING when the server waits for it no longer; default: it never does. */
  readonly lifecycle?: Lifecycle;
}

/** Services that anybody may call: a probe has no credential, and the schemas are public. They identify their callers themselves if they must know them. */
const open: ReadonlySet<string> = new Set([
  Health.typeName,
  ServerReflection.typeName,
  ServerReflectionV1Alpha.typeName,
]);

/** Who sends these headers. Throws or rejects as Identify does. */
export function identifyCaller(
  services: RpcServices,
  { requestHeader }: HandlerContext,
): Caller | Promise<Caller> {
  const tenant = requestHeader.get(TENANT_HEADER) ?? undefined;
  return services.identify(requestHeader.get("authorization") ?? undefined, tenant);
}

const callerKey = createContextKey<Caller | undefined>(undefined);

/**
 * Makes the gate that every call passes when its headers are there and before its body is read: it identifies the caller, once, and asks
 * whether the caller may make it. For a caller that is not known, or may not, nothing is read, decompressed or parsed.
 */
export function createRequestGate(services: RpcServices): (context: HandlerContext) => void | Promise<void> {
  return (context) => {
    if (open.has(context.service.typeName)) return;
    try {
      const caller = admitCaller(services, context);
      if (caller instanceof Promise)
        return caller.then(
          (known) => void context.values.set(callerKey, known),
          (error: unknown) => refuse(services, context, error),
        );
      context.values.set(callerKey, caller);
    } catch (error) {
      refuse(services, context, error);
    }
  };
}

function admitCaller(services: RpcServices, context: HandlerContext): Caller | Promise<Caller> {
  const door = `${context.service.typeName}/${context.method.name}`;
  const caller = identifyCaller(services, context);
  if (caller instanceof Promise) return caller.then((known) => services.core.admit(known, door));
  return services.core.admit(caller, door);
}

function refuse(services: RpcServices, { responseHeader, signal }: HandlerContext, error: unknown): never {
  if (toValinorError(error).reason === "UNAUTHENTICATED") responseHeader.set("www-authenticate", "Bearer");
  throw failure(services, error, signal);
}

/** Who makes a call that has passed the gate. */
export function callerOf(context: HandlerContext): Caller {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new Error("the call did not pass the gate");
  return caller;
}

/** A unary call: hands over its caller, and turns every error into Connect's. */
export function unary<I, O>(
  services: RpcServices,
  call: (caller: Caller, request: I, context: HandlerContext) => Promise<O>,
): (request: I, context: HandlerContext) => Promise<O> {
  return async (request, context) => {
    try {
      return await untilCut(services.lifecycle, call(callerOf(context), request, context));
    } catch (error) {
      throw failure(services, error, context.signal);
    }
  };
}

/** The error that the client gets; one of the server's own is reported. */
export function failure(services: RpcServices, error: unknown, signal: AbortSignal): Error {
  const connectError = toConnectError(error, signal);
  const { cause } = connectError;
  if (cause !== undefined && toValinorError(cause).reason === "INTERNAL") services.onInternalError(error);
  return connectError;
}
