import { Socket } from "node:net";

/** How long, in milliseconds, and how many bytes are thrown away of what a client still sends that has its last answer. */
export interface LingerLimits {
  readonly lingerMs: number;
  readonly lingerBytes: number;
}

/**
 * Ends a connection of HTTP/1 with its last bytes, and throws away what still comes, within bounds: a connection that is closed over unread bytes
 * is reset, which takes from the client what it has not read yet. Nothing of it is parsed any more.
 */
export function endAndLinger(socket: Socket, { lingerMs, lingerBytes }: LingerLimits, last = ""): void {
  let rest = lingerBytes;
  socket.end(last);
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
  socket.removeAllListeners("data");
  socket.on("data", (part: Buffer) => {
    rest -= part.length;
    if (rest < 0) socket.destroy();
  });
  // Whoever paused it has nothing to say in this any more.
  Socket.prototype.resume.call(socket);
}
