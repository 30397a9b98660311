import type { HandlerContext } from "@connectrpc/connect";
import { toValinorError } from "../core/errors.ts";
import type { Caller, Core } from "../core/types.ts";
import { toConnectError } from "./errors.ts";

/** What the services are made of. */
export interface RpcServices {
  readonly core: Core;
  /** Tells who calls from the request's headers; throws ValinorError. */
  readonly identify: (header: Headers) => Caller;
  /** Told of every error that is nobody's doing but the server's: clients see only that there was one. */
  readonly onInternalError: (error: unknown) => void;
}

/** A unary call: identifies the caller, and turns every error into Connect's. */
export function unary<I, O>(
  services: RpcServices,
  call: (caller: Caller, request: I, context: HandlerContext) => Promise<O>,
): (request: I, context: HandlerContext) => Promise<O> {
  return async (request, context) => {
    try {
      return await call(services.identify(context.requestHeader), request, context);
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
