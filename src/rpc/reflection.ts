import {
  create,
  type DescFile,
  type DescMethod,
  type DescService,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { Health } from "@valinor/proto/grpc/health/v1/health";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "@valinor/proto/grpc/reflection/v1/reflection";
import {
  ServerReflection as ServerReflectionV1Alpha,
  type ServerReflectionRequest as AlphaRequest,
  ServerReflectionRequestSchema as AlphaRequestSchema,
  ServerReflectionResponseSchema as AlphaResponseSchema,
} from "@valinor/proto/grpc/reflection/v1alpha/reflection";
import { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentRegistry } from "@valinor/proto/valinor/v1/agent_registry";

/** Requests that one stream may make. */
const MAX_REQUESTS = 10_000;

const services: readonly DescService[] = [
  AgentProxy,
  AgentRegistry,
  Health,
  ServerReflection,
  ServerReflectionV1Alpha,
];

/** A file and everything it imports, itself first. */
function closure(file: DescFile, seen: Set<DescFile> = new Set()): Set<DescFile> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const dependency of file.dependencies) closure(dependency, seen);
  return seen;
}

const files = new Map<string, DescFile>();
for (const service of services)
  for (const file of closure(service.file)) files.set(`${file.name}.proto`, file);

/** Which file has a service, a method, or a message or enum of the first level or below. */
const symbols = new Map<string, DescFile>();
for (const file of files.values()) {
  for (const service of file.services) {
    symbols.set(service.typeName, file);
    for (const method of service.methods) symbols.set(nameOf(method), file);
  }
  const messages = [...file.messages];
  for (const type of [...file.enums, ...file.extensions]) symbols.set(type.typeName, file);
  for (const message of messages) {
    symbols.set(message.typeName, file);
    for (const type of [...message.nestedEnums, ...message.nestedExtensions])
      symbols.set(type.typeName, file);
    messages.push(...message.nestedMessages);
  }
}

function nameOf(method: DescMethod): string {
  return `${method.parent.typeName}.${method.name}`;
}

/**
 * gRPC server reflection (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md): hands out the public schemas, so that buf curl and grpcurl need no files. The same implementation serves v1 and v1alpha, whose messages are equal.
 * Streams end when `stopping` aborts.
 */
export function reflection(stopping: AbortSignal): ServiceImpl<typeof ServerReflection> {
  return {
    async *serverReflectionInfo(requests) {
      let count = 0;
      for await (const request of untilStop(requests, stopping)) {
        if (++count > MAX_REQUESTS)
          throw new ConnectError(`a stream may ask ${MAX_REQUESTS} times`, Code.ResourceExhausted);
        yield create(ServerReflectionResponseSchema, {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request.messageRequest),
        });
      }
    },
  };
}

/** v1alpha under its own name: the bytes are the same. */
export function reflectionV1Alpha(stopping: AbortSignal): ServiceImpl<typeof ServerReflectionV1Alpha> {
  const { serverReflectionInfo } = reflection(stopping);
  return {
    async *serverReflectionInfo(requests, context) {
      for await (const response of serverReflectionInfo(asV1(requests), context)) {
        const bytes = toBinary(
          ServerReflectionResponseSchema,
          create(ServerReflectionResponseSchema, response),
        );
        yield fromBinary(AlphaResponseSchema, bytes);
      }
    },
  };
}

/** A stream's requests. One that the client neither goes on with nor ends would keep the server from stopping. */
async function* untilStop<T>(requests: AsyncIterable<T>, stopping: AbortSignal): AsyncGenerator<T> {
  const iterator = requests[Symbol.asyncIterator]();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  stopped.catch(() => {}); // a stream that has ended before the server stops does not look at it
  const stop = () => reject(new ConnectError("this server is stopping", Code.Unavailable));
  if (stopping.aborted) stop();
  stopping.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const next = iterator.next();
      next.catch(() => {}); // nobody looks at it once the server stops
      const { done, value } = await Promise.race([next, stopped]);
      if (done === true) return;
      yield value;
    }
  } finally {
    stopping.removeEventListener("abort", stop);
  }
}

async function* asV1(requests: AsyncIterable<AlphaRequest>): AsyncGenerator<ServerReflectionRequest> {
  for await (const request of requests)
    yield fromBinary(ServerReflectionRequestSchema, toBinary(AlphaRequestSchema, request));
}

type Answer = ServerReflectionResponse["messageResponse"];

function answer(request: ServerReflectionRequest["messageRequest"]): Answer {
  switch (request.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: {
          $typeName: "grpc.reflection.v1.ListServiceResponse",
          service: services.map(({ typeName: name }) => ({
            $typeName: "grpc.reflection.v1.ServiceResponse",
            name,
          })),
        },
      };
    case "fileByFilename":
      return withImports(files.get(request.value), `file ${request.value}`);
    case "fileContainingSymbol":
      return withImports(symbols.get(request.value), `symbol ${request.value}`);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      return withImports(fileOfExtension(containingType, extensionNumber), "extension");
    }
    case "allExtensionNumbersOfType":
      return numbersOf(request.value);
    default:
      return failed(Code.InvalidArgument, "the request asks for nothing");
  }
}

function withImports(file: DescFile | undefined, what: string): Answer {
  if (file === undefined) return failed(Code.NotFound, `${what.slice(0, 300)} is not known`);
  const fileDescriptorProto = [...closure(file)].map(bytesOf);
  return {
    case: "fileDescriptorResponse",
    value: { $typeName: "grpc.reflection.v1.FileDescriptorResponse", fileDescriptorProto },
  };
}

/** Files as bytes: writing them for each request would cost milliseconds, and anybody may ask. */
const written = new Map<DescFile, Uint8Array>();

function bytesOf(file: DescFile): Uint8Array {
  const bytes = written.get(file) ?? toBinary(FileDescriptorProtoSchema, file.proto);
  written.set(file, bytes);
  return bytes;
}

function* extensions() {
  for (const file of files.values()) yield* file.extensions;
}

function fileOfExtension(type: string, number: number): DescFile | undefined {
  for (const item of extensions())
    if (item.extendee.typeName === type && item.number === number) return item.file;
  return undefined;
}

function numbersOf(type: string): Answer {
  if (!symbols.has(type)) return failed(Code.NotFound, `type ${type.slice(0, 300)} is not known`);
  const extensionNumber = [...extensions()]
    .filter((item) => item.extendee.typeName === type)
    .map((item) => item.number);
  return {
    case: "allExtensionNumbersResponse",
    value: {
      $typeName: "grpc.reflection.v1.ExtensionNumberResponse",
      baseTypeName: type,
      extensionNumber,
    },
  };
}

function failed(errorCode: Code, errorMessage: string): Answer {
  return {
    case: "errorResponse",
    value: { $typeName: "grpc.reflection.v1.ErrorResponse", errorCode, errorMessage },
  };
}
