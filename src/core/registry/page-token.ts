import { sha256 } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";

/** Characters of the scope's digest in a token. */
const DIGEST = 12;

/**
 * A page token: where a list goes on, bound to the list that it belongs to (its `scope`: what is listed, and the filter). It is
 * opaque to clients, and proves nothing: a made-up one only begins somewhere else in what the caller may see anyway.
 */
export function encodePageToken(scope: string, position: string): string {
  return Buffer.from(sha256(scope).slice(0, DIGEST) + position).toString("base64url");
}

/**
 * The position in a token; empty for no token. Throws INVALID_ARGUMENT for a token of another list, and for a made-up one whose
 * position does not look like those of the list: the database would fail at it.
 */
export function decodePageToken(scope: string, token: string, isPosition: (text: string) => boolean): string {
  if (token === "") return "";
  const text = Buffer.from(token, "base64url").toString();
  const position = text.slice(DIGEST);
  if (isPosition(position) && encodePageToken(scope, position) === token) return position;
  throw new ValinorError("INVALID_ARGUMENT", "page_token belongs to another list: start without it");
}
