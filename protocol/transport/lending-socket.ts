import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Lender, TakeLent } from "../wire/reader.ts";

/** Most bytes that one read takes, as without a buffer of one's own. */
const READ_BYTES = 64 * 1024;

/**
 * Where the sockets of a process read to. What is read is used up before the next read, or copied: a buffer for each read would be garbage
 * outside of V8's heap, and what waits there could be bounded by nobody.
 */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** What a socket's reads go through; it is there before the socket. */
class Intake {
  socket: LendingSocket | undefined;
  take: TakeLent | undefined;

  readonly callback = (length: number): boolean => {
    const bytes = shared.subarray(0, length);
    if (this.take !== undefined) return this.take(bytes);
    // As net does it for whoever reads the socket as a stream.
    return this.socket?.push(Buffer.from(bytes)) ?? false;
  };
}

/**
 * A socket that can lend what it reads, and then is read no further before it is asked for more. Until then it is a stream like any other;
 * bytes that wait in it come as a stream's, and before those that are lent.
 */
export class LendingSocket extends Socket implements Lender {
  readonly #intake: Intake;

  /** `options` as `net.Socket` takes them; a `handle` among them is read from at once. */
  constructor(options: object = {}) {
    const intake = new Intake();
    super({ ...options, onread: { buffer: shared, callback: intake.callback } });
    this.#intake = intake;
    intake.socket = this;
  }

  lend(take: TakeLent): void {
    this.#intake.take = take;
  }
}

/** As `net.connect`, with a socket that lends. */
export function connectLending(to: { host: string; port: number } | { path: string }): Duplex & Socket {
  const socket = new LendingSocket();
  // Over TCP small frames leave at once; elsewhere it means nothing.
  socket.setNoDelay(true);
  return socket.connect(to);
}
