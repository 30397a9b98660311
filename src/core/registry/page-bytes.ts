import { limits } from "@valinor/protocol";

/** Bytes of a page's items, at which it ends: gRPC's clients refuse messages of more than 4 MiB unless told otherwise. */
export const PAGE_BYTES = limits.unaryReplyBytes;

/** What a message's fields of fixed size take at most, and its place in the page. */
const ITEM_BYTES = 256;

/** A page that is being filled. */
export interface PageRoom {
  /** True if the item still fits; it is counted then. The first one always fits: no page could hold it otherwise. */
  take(item: unknown): boolean;
}

/** Makes the room of one page. */
export function createPageRoom(most: number = PAGE_BYTES): PageRoom {
  let left = most;
  let isFirst = true;
  return {
    take(item) {
      left -= ITEM_BYTES + sentBytes(item);
      const fits = left >= 0 || isFirst;
      isFirst = false;
      return fits;
    },
  };
}

/**
 * Bytes that a value of JSON takes when it is sent: as JSON or as protobuf's Struct, whichever is more. They are far apart: each
 * number of a list takes 11 bytes in protobuf and 2 or more in JSON. Dates count as their text, undefined fields as nothing.
 */
export function sentBytes(value: unknown): number {
  return Math.max(Buffer.byteLength(JSON.stringify(value) ?? ""), protobufBytes(value));
}

/** Size of a google.protobuf.Value. */
function protobufBytes(value: unknown): number {
  switch (typeof value) {
    case "string":
      return field(Buffer.byteLength(value));
    case "number":
      return 9;
    case "object":
      return value === null ? 2 : value instanceof Date ? field(24) : field(membersBytes(value));
    default:
      return 2;
  }
}

function membersBytes(value: object): number {
  let bytes = 0;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) bytes += field(protobufBytes(item));
    return bytes;
  }
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) bytes += field(field(Buffer.byteLength(key)) + field(protobufBytes(member)));
  }
  return bytes;
}

/** Size of a field with this many bytes in it: tag, length, bytes. */
function field(bytes: number): number {
  return 2 + bytes + (bytes < 0x80 ? 0 : bytes < 0x4000 ? 1 : bytes < 0x200000 ? 2 : 3);
}
