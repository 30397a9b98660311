import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { rewrap } from "./handlers.ts";

/** gRPC-Web's form for clients that can only handle text, with what may follow it. */
const TEXT = /^application\/grpc-web-text/i;
const BINARY = "application/grpc-web";

/**
 * Lets a handler take and give `application/grpc-web-text` as well: gRPC-Web in base64, for clients whose runtime hands them no bytes
 * (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md). Each piece of an answer is padded by itself, so none waits for the next.
 */
export function withGrpcWebText(handler: UniversalHandler): UniversalHandler {
  return rewrap(handler, async (request) => {
    const type = request.header.get("content-type") ?? "";
    if (!TEXT.test(type)) return handler(request);
    const header = new Headers(request.header);
    header.set("content-type", type.replace(TEXT, BINARY));
    const body = isPieces(request.body) ? fromBase64(request.body) : request.body;
    const response = await handler({ ...request, header, body });
    if (response.body === undefined) return response;
    const answered = new Headers(response.header);
    const own = answered.get("content-type") ?? BINARY;
    answered.set("content-type", own.replace(BINARY, `${BINARY}-text`));
    return { ...response, header: answered, body: toBase64(response.body) };
  });
}

function isPieces(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/** Decodes pieces that may be cut anywhere, and padded after any four characters. */
async function* fromBase64(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = "";
  for await (const piece of pieces) {
    const text = rest + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("latin1");
    const whole = text.length - (text.length % 4);
    rest = text.slice(whole);
    if (whole > 0) yield decodeWhole(text.slice(0, whole));
  }
  if (rest !== "") throw malformed();
}

const WHOLE = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)+$/;

function decodeWhole(text: string): Uint8Array {
  if (!WHOLE.test(text)) throw malformed();
  const segments = text.match(/[^=]+={0,2}/g) ?? [];
  return segments.length === 1
    ? Buffer.from(text, "base64")
    : Buffer.concat(segments.map((segment) => Buffer.from(segment, "base64")));
}

function malformed(): ConnectError {
  return new ConnectError("the body is not the base64 that grpc-web-text is", Code.InvalidArgument);
}

async function* toBase64(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    if (piece.length === 0) continue;
    yield Buffer.from(Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("base64"), "latin1");
  }
}
