import { sha256 } from "@valinor/protocol";

/** 128 bits of the digest of a request's id, as text of 22 characters: names are long, and many. */
export function digestOfName(requestId: string): string {
  return digestOfHash(sha256(requestId));
}

/** The first 128 bits of a message's hash (SHA-256 in hexadecimal), in the same form. */
export function digestOfHash(hash: string): string {
  return Buffer.from(hash.slice(0, 32), "hex").toString("base64url");
}
