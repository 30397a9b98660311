import type { Socket } from "node:net";

/** What every HTTP/2 connection begins with (RFC 9113 section 3.4). */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What a connection turned out to speak. */
export type Spoken = "http1" | "http2";

/**
 * Finds out from its first bytes what a fresh connection speaks, without taking them: whoever gets the socket next reads them
 * again. At most 24 bytes are waited for; what is not HTTP/2's preface is HTTP/1's to judge (and to refuse with 400).
 * A connection that has not made itself known within `timeoutMs` is destroyed, and `known` is never called.
 */
export function sniffPreface(socket: Socket, timeoutMs: number, known: (spoken: Spoken) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const stop = () => {
    clearTimeout(timer);
    socket.off("readable", look);
    socket.off("close", stop);
    socket.off("end", leave);
    socket.off("error", ignore);
  };
  const leave = () => socket.destroy();
  const look = () => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    seen = seen.length === 0 ? bytes : Buffer.concat([seen, bytes]);
    const spoken = judge(seen);
    if (spoken === undefined) return;
    stop();
    socket.unshift(seen);
    known(spoken);
  };
  socket.on("readable", look);
  socket.on("close", stop);
  socket.on("end", leave);
  socket.on("error", ignore);
}

/** What the bytes begin, or undefined while they are a proper part of the preface. */
function judge(seen: Buffer): Spoken | undefined {
  const length = Math.min(seen.length, PREFACE.length);
  if (seen.compare(PREFACE, 0, length, 0, length) !== 0) return "http1";
  return length === PREFACE.length ? "http2" : undefined;
}

/** A socket that fails before it has said anything needs no answer; its `close` follows. */
function ignore(): void {}
