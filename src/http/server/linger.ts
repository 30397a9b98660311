import { Socket } from "node:net";
import type { Turns } from "./turns.ts";

/** How long, in milliseconds, and how many bytes are thrown away of what a client still sends that has its last answer. */
export interface LingerLimits {
  readonly lingerMs: number;
  readonly lingerBytes: number;
}

/** Reads bytes that are thrown away, in the line of those that have more to do than others, so that it takes no time from anybody else. */
export function readInTurns(from: { pause(): unknown; resume(): unknown }, turns: Turns): void {
  from.pause();
  turns.join({
    step() {
      from.resume();
      return false;
    },
  });
}

/**
 * Ends a connection of HTTP/1 with its last bytes, and throws away what still comes, within bounds: a connection that is closed over unread bytes
 * is reset, which takes from the client what it has not read yet. Nothing of it is parsed any more.
 */
export function endAndLinger(
  socket: Socket,
  { lingerMs, lingerBytes }: LingerLimits,
  turns: Turns,
  last = "",
): void {
  let rest = lingerBytes;
  // Whoever paused it before has nothing to say in this any more.
  const own = {
    pause: () => Socket.prototype.pause.call(socket),
    resume: () => Socket.prototype.resume.call(socket),
  };
  socket.end(last);
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once("close", () => clearTimeout(timer));
  socket.removeAllListeners("data");
  socket.on("data", (part: Buffer) => {
    rest -= part.length;
    if (rest < 0) socket.destroy();
    else readInTurns(own, turns);
  });
  own.resume();
}
