import type { Server, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { HttpLimits } from "./http-limits.ts";
import { endAndLinger } from "./linger.ts";
import type { Turns } from "./turns.ts";

/** What an HTTP/1 connection is told whose bytes Node's parser does not take, or that come too slowly. */
interface Refusal {
  readonly status: string;
  /** In the shape of the REST API's errors (docs/errors.md). */
  readonly body: { readonly error: string; readonly reason: string; readonly message: string };
}

/** The responses of a connection. */
export interface ConnectionResponses {
  /** Those that have not closed, the oldest first. */
  readonly inFlight: Iterable<ServerResponse>;
  /** The one of the request that came last. */
  readonly latest: ServerResponse | undefined;
}

/**
 * Answers what never became a request (or did, and then its body went wrong) in the shape of all errors, and ends its connection. Answers to
 * requests before it come first; a request that has its answer gets no second one.
 */
export function answerParserErrors(
  http1: Server,
  limits: HttpLimits,
  turns: Turns,
  responsesOf: (socket: Socket) => ConnectionResponses,
): void {
  const failed = new WeakSet<Duplex>();
  http1.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    // What follows the bytes that went wrong goes wrong as well.
    if (failed.has(socket)) return;
    failed.add(socket);
    const refusal = refusalOf(error, limits);
    if (refusal === undefined || !(socket instanceof Socket) || !socket.writable)
      return void socket.destroy();
    socket.pause();
    const { inFlight, latest } = responsesOf(socket);
    afterAnswers([...inFlight], () => {
      const own = latest?.req.complete === false ? latest : undefined;
      const isBegun = own?.headersSent === true;
      if (!socket.writable || (isBegun && !own.writableEnded)) socket.destroy();
      else endAndLinger(socket, limits, turns, isBegun ? "" : responseOf(refusal));
    });
  });
}

/** Calls once the answers to complete requests have left. */
function afterAnswers(inFlight: readonly ServerResponse[], call: () => void): void {
  const last = inFlight.findLast(({ req }) => req.complete);
  if (last === undefined) call();
  else last.once("close", call);
}

/** Undefined for an error of the connection itself: no client is left to be told. */
function refusalOf(error: NodeJS.ErrnoException, limits: HttpLimits): Refusal | undefined {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return refusal(
        "431 Request Header Fields Too Large",
        "request headers too large",
        "REQUEST_TOO_LARGE",
        `request line and headers hold at most ${limits.headerBytes} bytes together: send a long message with POST`,
      );
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return refusal(
        "413 Payload Too Large",
        "request body too large",
        "REQUEST_TOO_LARGE",
        "the body's chunks have extensions that are too long: send none",
      );
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return refusal(
        "408 Request Timeout",
        "request timeout",
        "REQUEST_TIMEOUT",
        `headers arrive within ${limits.headersMs} ms, and a whole request within ${limits.requestMs} ms`,
      );
    default:
      if (error.code?.startsWith("HPE_") !== true) return undefined;
      return refusal(
        "400 Bad Request",
        "malformed request",
        "INVALID_ARGUMENT",
        "the bytes are neither a request as RFC 9112 has it nor HTTP/2's preface",
      );
  }
}

function refusal(status: string, error: string, reason: string, message: string): Refusal {
  return { status, body: { error, reason, message } };
}

function responseOf({ status, body }: Refusal): string {
  const text = `${JSON.stringify(body)}\n`;
  return [
    `HTTP/1.1 ${status}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    "cache-control: no-store",
    "x-content-type-options: nosniff",
    "connection: close",
    "",
    text,
  ].join("\r\n");
}
