import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { HttpLimits } from "./http-limits.ts";
import { endAndLinger, readInTurns } from "./linger.ts";
import type { Turns } from "./turns.ts";

/**
 * Ends an HTTP/1 request whose answer left before its body had come, such as 401 or 413: what still comes is thrown away, for `lingerMs`
 * and up to `lingerBytes`, so that the client gets to read the answer (a reset would take it away again). A body that is complete by then
 * leaves the connection as good as before; any other one ends it.
 */
export function endEarlyAnswer(
  req: IncomingMessage,
  res: ServerResponse,
  limits: HttpLimits,
  turns: Turns,
): void {
  const { socket } = req;
  // Before Node's own listener, which would throw the body away without a bound.
  res.prependOnceListener("finish", () => {
    if (req.complete || socket.destroyed) return;
    if (req.destroyed) endAndLinger(socket, limits, turns);
    else discard(req, socket, limits, turns);
  });
}

/** Reads a body to its end, within the bounds. */
function discard(req: IncomingMessage, socket: Socket, limits: HttpLimits, turns: Turns): void {
  let rest = limits.lingerBytes;
  const end = () => {
    clearTimeout(timer);
    socket.off("close", end);
    if (!req.complete && !socket.destroyed)
      endAndLinger(socket, { ...limits, lingerBytes: Math.max(rest, 0) }, turns);
  };
  const timer = setTimeout(() => socket.destroy(), limits.lingerMs);
  // A reader that left the body's iterator in the middle still listens for more, and nothing flows meanwhile.
  req.removeAllListeners("readable");
  req.on("data", (part: Buffer) => {
    rest -= part.length;
    if (rest < 0) socket.destroy();
    else readInTurns(req, turns);
  });
  // The body's reader may have given up: then it can't be known any more where the body ends.
  req.once("end", end).once("close", end);
  socket.once("close", end);
  req.resume();
}

/**
 * The same for a stream of HTTP/2, of which a session has few: it is reset with NO_ERROR `resetMs` after the last frame of its answer has
 * left, unless the body is complete by then. A client must not take that for a failure (RFC 9113 section 8.1).
 */
export function endEarlyStream(stream: Http2Stream, resetMs: number): void {
  if (stream.endAfterHeaders) return;
  stream.once("finish", () => {
    if (stream.destroyed || stream.readableEnded) return;
    const look = () => {
      // A client that takes no more of the answer is dropped by the watch for stalled clients (stall-watch.ts).
      if (stream.state.localClose === 1) stream.close(constants.NGHTTP2_NO_ERROR);
    };
    const timer = setInterval(look, resetMs);
    const done = () => clearInterval(timer);
    stream.once("end", done).once("close", done);
    stream.resume();
  });
}
