import type { DescMethod, DescMethodUnary, DescService, MessageShape } from "@bufbuild/protobuf";
import { type ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
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
  return throughDoor(services, doorOf(context.method), identifyCaller(services, context));
}

/** An RPC as the access table names it. */
export function doorOf(method: DescMethod): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** The caller to make the call with, if it may come through this door. Throws or rejects as the gate does. */
export function throughDoor(
  { core }: Pick<RpcServices, "core">,
  door: string,
  caller: Caller | Promise<Caller>,
): Caller | Promise<Caller> {
  return caller instanceof Promise
    ? caller.then((known) => core.admit(known, door))
    : core.admit(caller, door);
}

function refuse(services: RpcServices, { responseHeader, signal }: HandlerContext, error: unknown): never {
  for (const [name, value] of Object.entries(refusalHeaders(error))) responseHeader.set(name, value);
  throw failure(services, error, signal);
}

/** What the headers of an answer say to a caller that the gate has refused. */
export function refusalHeaders(error: unknown): Readonly<Record<string, string>> {
  return toValinorError(error).reason === "UNAUTHENTICATED" ? { "www-authenticate": "Bearer" } : {};
}

/** Who makes a call that has passed the gate. */
export function callerOf(context: HandlerContext): Caller {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new Error("the call did not pass the gate");
  return caller;
}

/** What a unary RPC answers a caller whose call has passed the gate. The signal is the call's: it aborts when its client leaves, or its deadline passes. */
export type UnaryCall<I, O> = (caller: Caller, request: I, signal: AbortSignal) => Promise<O>;

/** The unary RPCs of a service. */
export type UnaryCalls<S extends DescService> = {
  [
    Name in keyof S["method"] as S["method"][Name] extends DescMethodUnary ? Name : never
  ]: S["method"][Name] extends DescMethodUnary<infer I, infer O>
    ? UnaryCall<MessageShape<I>, MessageShape<O>>
    : never;
};

/** A unary RPC as the library calls it: hands over its caller, and turns every error into Connect's. */
export function unary<I, O>(
  services: RpcServices,
  call: UnaryCall<I, O>,
): (request: I, context: HandlerContext) => Promise<O> {
  return async (request, context) => {
    try {
      return await untilCut(services.lifecycle, call(callerOf(context), request, context.signal));
    } catch (error) {
      throw failure(services, error, context.signal);
    }
  };
}

/** The error that the client gets; one of the server's own is reported. */
export function failure(services: RpcServices, error: unknown, signal: AbortSignal): ConnectError {
  const connectError = toConnectError(error, signal);
  const { cause } = connectError;
  if (cause !== undefined && toValinorError(cause).reason === "INTERNAL") services.onInternalError(error);
  return connectError;
}
