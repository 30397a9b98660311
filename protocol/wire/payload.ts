import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { ChunkJson } from "@valinor/proto/valinor/link/v1/link";
import { LinkError } from "./errors.ts";
import type { UnknownObject } from "./frame.ts";
import { isUint32 } from "./values.ts";

/**
 * Reads a payload as a message of link/v1. Unknown fields are ignored.
 * Throws LinkError `invalid_frame` if a field has the wrong type.
 */
export function readPayload<S extends DescMessage>(schema: S, payload: UnknownObject): MessageShape<S> {
  try {
    return fromJson(schema, payload as JsonValue, { ignoreUnknownFields: true });
  } catch (error) {
    throw new LinkError("invalid_frame", `a payload is not a ${schema.name}: ${textOf(error)}`, error);
  }
}

/** The list of protocol 1: it stands in its payload even if it is empty. */
const LIST_OF_PROTOCOL_1 = "tool_allowlist";

/** The payload of a message of link/v1: fields of protocol 1 always, fields of protocol 2 if they are set. */
export function writePayload<S extends DescMessage>(schema: S, message: MessageShape<S>): object {
  const payload = toJson(schema, message, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  // Lists have no presence in protobuf: those of protocol 2 are set if they hold something.
  for (const { fieldKind, jsonName } of schema.fields) {
    const list = payload[jsonName];
    if (fieldKind === "list" && jsonName !== LIST_OF_PROTOCOL_1 && Array.isArray(list) && list.length === 0)
      delete payload[jsonName];
  }
  return payload;
}

/** A piece of text as the generated type has it, known to be complete. */
export type TextChunk = ChunkJson & { readonly content: string; readonly done?: false | null };

/**
 * True for the payload of a `chunk` that carries text and does not end the run. This is the hot path: it checks by hand what
 * readPayload would by reflection, and a test holds the two together. Text with half a surrogate pair is none: protobuf, and
 * so every client, has no such text.
 */
export function isTextChunk(payload: UnknownObject): payload is UnknownObject & TextChunk {
  return (
    typeof payload["content"] === "string" &&
    payload["content"].isWellFormed() &&
    (payload["done"] === false || isAbsent(payload["done"])) &&
    (payload["sequence"] === undefined || isUint32(payload["sequence"])) &&
    (payload["mark"] === undefined || isUint32(payload["mark"])) &&
    isAbsent(payload["finish_reason"]) &&
    isAbsent(payload["usage"])
  );
}

/** True for what the JSON mapping takes as not set. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

/** Protobuf's own words up to where they quote the peer's, which are no part of an error: it is logged. */
const OWN_WORDS = /^cannot decode \w+ [\w.]+ from JSON(?:: expected [a-z0-9 ()]+)?(?:: invalid UTF8)?/;

function textOf(error: unknown): string {
  return OWN_WORDS.exec(error instanceof Error ? error.message : "")?.[0] ?? "it cannot be decoded";
}
