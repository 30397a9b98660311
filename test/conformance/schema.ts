import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import { type Any, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/*
 * The runner's messages, as far as they are looked at. Their schemas come from the runner's own .proto files when the suite runs, so there
 * is no generated code.
 */

/** A header with its values. */
export interface Header {
  readonly name: string;
  readonly value: readonly string[];
}

/** An error that the service is to answer with. */
export interface ErrorDefinition {
  readonly code: number;
  readonly message?: string;
  readonly details: readonly Any[];
}

/** What a unary answer is to be. */
export interface UnaryDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: ErrorDefinition }
    | { readonly case: undefined };
}

/** What a stream of answers is to be. */
export interface StreamDefinition {
  readonly responseHeaders: readonly Header[];
  readonly responseTrailers: readonly Header[];
  readonly responseDelayMs: number;
  readonly responseData: readonly Uint8Array[];
  readonly error?: ErrorDefinition;
}

/** What the runner asks of a server. */
export interface ServerRequest {
  /** 1 or 2. */
  readonly httpVersion: number;
  readonly useTls: boolean;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
}

const PACKAGE = "connectrpc.conformance.v1";

/** Reads the schemas that `buf build` wrote. */
export function readSchemas(file: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(file)));
}

/** A message of the runner's package. Throws Error if there is none of that name. */
export function messageOf(schemas: FileRegistry, name: string): DescMessage {
  const desc = schemas.getMessage(`${PACKAGE}.${name}`);
  if (desc === undefined) throw new Error(`the runner's schemas have no message ${name}`);
  return desc;
}

/** The service that the runner calls. */
export function serviceOf(schemas: FileRegistry): DescService {
  const desc = schemas.getService(`${PACKAGE}.ConformanceService`);
  if (desc === undefined) throw new Error("the runner's schemas have no ConformanceService");
  return desc;
}

/** A call that the runner asks a client to make. */
export interface ClientRequest {
  readonly testName: string;
  /** 1 or 2. */
  readonly httpVersion: number;
  /** 1: Connect, 2: gRPC, 3: gRPC-Web. */
  readonly protocol: number;
  /** 1: binary, 2: JSON. */
  readonly codec: number;
  /** 1: none, 2: gzip, 3: brotli. */
  readonly compression: number;
  readonly host: string;
  readonly port: number;
  /** Empty: in the clear. */
  readonly serverTlsCert: Uint8Array;
  readonly messageReceiveLimit: number;
  readonly method?: string;
  /** 5: both sides talk at once. */
  readonly streamType: number;
  readonly useGetHttpMethod: boolean;
  readonly requestHeaders: readonly Header[];
  readonly requestMessages: readonly Any[];
  readonly timeoutMs?: number;
  readonly requestDelayMs: number;
  /** When the call is to be given up. */
  readonly cancel?: { readonly cancelTiming: CancelTiming };
}

/** When a call is to be given up: before the last request is told to be that, so long after it, or after so many answers. */
export type CancelTiming =
  | { readonly case: "beforeCloseSend"; readonly value: unknown }
  | { readonly case: "afterCloseSendMs"; readonly value: number }
  | { readonly case: "afterNumResponses"; readonly value: number }
  | { readonly case: undefined };
