import type { DescMethod, DescMethodUnary, DescService, Message, Registry } from "@bufbuild/protobuf";
import { ValidationError } from "@bufbuild/protovalidate";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type Interceptor,
  type MethodImpl,
  type ServiceImpl,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { compressionBrotli, compressionGzip, connectNodeAdapter } from "@connectrpc/connect-node";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { createValidateInterceptor } from "@connectrpc/validate";
import { ErrorInfoSchema } from "@valinor/proto/google/rpc/error_details";
import { ERROR_DOMAIN } from "@valinor/proto/reasons";
import { MAX_TIMEOUT_MS } from "./front.ts";
import { spellGrpcMessage } from "./grpc-message.ts";
import { withGrpcWebText } from "./grpc-web-text.ts";
import type { MessageBounds } from "./message-bounds.ts";
import { boundRequests } from "./request-body.ts";

/** Fields that are not known go nowhere: they need not be kept. */
export const binaryOptions = { readUnknownFields: false };

/** What an answer may be compressed with, the better one first. */
export const compressions = [compressionGzip, compressionBrotli];

/** A handler of node:http and node:http2 servers, as connect-node has it. */
export type NodeHandler = ReturnType<typeof connectNodeAdapter>;

/** Serves a service: every method with the bounds of its messages. */
export type Serve = <T extends DescService>(service: T, implementation: ServiceImpl<T>) => void;

/** What an adapter is made of. */
export interface AdapterOptions {
  /** Serves the services. */
  readonly services: (serve: Serve) => void;
  readonly boundsOf: (method: DescMethod) => MessageBounds;
  /** Runs when a call's headers are there and before its body is read; what it throws is the call's error. */
  readonly gate?: (context: HandlerContext) => void | Promise<void>;
  /** What a call's context holds from its beginning. Default: nothing. */
  readonly contextValues?: NonNullable<Parameters<typeof connectNodeAdapter>[0]["contextValues"]>;
  /** Another way to answer some calls. Default: none. */
  readonly replace?: (handler: UniversalHandler) => UniversalHandler;
  /** Takes what is no RPC. */
  readonly fallback?: NodeHandler;
  /** Schemas of what a `google.protobuf.Any` may hold in JSON. Default: none, as our messages have no such field. */
  readonly registry?: Registry;
}

/**
 * Makes the one way in which RPCs are served, over Connect, gRPC and gRPC-Web: the gate, bounds on messages before they are parsed, the
 * rules of the schemas.
 */
export function createAdapter(options: AdapterOptions): NodeHandler {
  const { gate, fallback, contextValues, registry, boundsOf, replace = (handler) => handler } = options;
  return connectNodeAdapter({
    maxTimeoutMs: MAX_TIMEOUT_MS,
    interceptors: [withErrorInfo, validate],
    binaryOptions,
    ...(registry && { jsonOptions: { registry } }),
    ...(gate && { requestGate: gate }),
    ...(contextValues && { contextValues }),
    ...(fallback && { fallback }),
    routes(router) {
      options.services((service, implementation) => serve(router, service, implementation, boundsOf));
      for (const [at, handler] of router.handlers.entries())
        router.handlers[at] = spellGrpcMessage(
          withGrpcWebText(boundRequests(replace(handler), boundsOf(handler.method))),
        );
    },
  });
}

function serve<T extends DescService>(
  router: ConnectRouter,
  service: T,
  implementation: ServiceImpl<T>,
  boundsOf: AdapterOptions["boundsOf"],
): void {
  for (const method of service.methods) {
    const { bytes, compressed } = boundsOf(method);
    const call = implementation[method.localName as keyof ServiceImpl<T>] as MethodImpl<DescMethod>;
    router.rpc(method, call, {
      readMaxBytes: bytes,
      acceptCompression: compressed ? compressions : [],
    });
  }
}

/** Gives a request that broke a rule of its schema the ErrorInfo that every error of ours has. */
const withErrorInfo: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (error instanceof ConnectError && isOurs(error)) {
      error.details.push({
        desc: ErrorInfoSchema,
        value: { reason: "INVALID_ARGUMENT", domain: ERROR_DOMAIN },
      });
    }
    throw error;
  }
};

const validate = createValidateInterceptor();

/** Holds a request against the rules of its schema, as every call's is. Rejects with the ConnectError that its client gets. */
export async function judge(method: DescMethodUnary, message: Message): Promise<void> {
  const request = { stream: false, method, message } as UnaryRequest;
  const pass = () => Promise.resolve({} as UnaryResponse);
  await withErrorInfo(validate(pass))(request);
}

function isOurs(error: ConnectError): boolean {
  return error.code === Code.InvalidArgument && error.cause instanceof ValidationError;
}
