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

/** A message of the runner's package. Throws Error where there is none of that name. */
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
