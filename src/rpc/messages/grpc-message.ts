import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { rewrap } from "./handlers.ts";

const NAME = "grpc-message";

/**
 * An error's text as gRPC's protocol has it in a header: printable ASCII as it is, but for `%`; all else percent-encoded, as UTF-8. What can't
 * be UTF-8 becomes U+FFFD.
 */
export function encodeGrpcMessage(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x20-\x24\x26-\x7e]+/gu, encodeURIComponent);
}

/**
 * Spells the text of an error in gRPC's trailers so. The library encodes punctuation as well, and grpc-js does not decode that: its users
 * would read `%3A` for every colon.
 */
export function spellGrpcMessage(handler: UniversalHandler): UniversalHandler {
  return rewrap(handler, async (request) => {
    const response = await handler(request);
    const { trailer } = response;
    if (!(trailer instanceof Headers)) return response;
    // The library fills it when the body has ended, and looks here only then.
    return {
      ...response,
      get trailer() {
        respell(trailer);
        return trailer;
      },
    };
  });
}

/** Spells the text of an error in these trailers so. */
export function respell(trailer: Headers): void {
  const encoded = trailer.get(NAME);
  if (encoded !== null) trailer.set(NAME, encodeGrpcMessage(decodeURIComponent(encoded)));
}
