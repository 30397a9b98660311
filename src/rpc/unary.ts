import type { HandlerContext } from "@connectrpc/connect";
import type { Caller } from "../core/types.ts";
import { toConnectError } from "./errors.ts";

/** Tells who calls from the request's headers; throws ValinorError. */
export type Identify = (header: Headers) => Caller;

/** A unary call: identifies the caller, and turns every error into Connect's. */
export function unary<I, O>(
  identify: Identify,
  call: (caller: Caller, request: I, context: HandlerContext) => Promise<O>,
): (request: I, context: HandlerContext) => Promise<O> {
  return async (request, context) => {
    try {
      return await call(identify(context.requestHeader), request, context);
    } catch (error) {
      throw toConnectError(error, context.signal);
    }
  };
}
