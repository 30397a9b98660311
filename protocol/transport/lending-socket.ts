import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../wire/limits.ts";
import type { Lender, TakeLent } from "../wire/reader.ts";

/**
 * Where the sockets of a process read to. What is read is used up before the next read, or copied: a buffer for each read would be garbage
 * outside of V8's heap, and what waits there could be bounded by nobody.
 */
const wide = Buffer.allocUnsafeSlow(limits.readWideBytes);
const narrow = wide.subarray(0, limits.readNarrowBytes);

/** How many sockets may take a wide read next: so much may come in one turn, before anybody is asked whether there is time for it. */
export class WideReads {
  #left: number;

  constructor(most: number = limits.readWideLinks) {
    this.#left = most;
  }

  /** True if one more may. */
  begin(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  end(): void {
    this.#left++;
  }
}

const shared = new WideReads();

/** What a socket's reads go through; it is there before the socket. */
class Intake {
  readonly #wideReads: WideReads;
  #isWide = false;
  socket: LendingSocket | undefined;
  take: TakeLent | undefined;

  constructor(wideReads: WideReads) {
    this.#wideReads = wideReads;
  }

  /** Where the next read goes. */
  readonly buffer = (): Buffer => (this.#isWide ? wide : narrow);

  readonly callback = (length: number): boolean => {
    // Who fills a small buffer has more to say.
    if (length < narrow.length) this.narrow();
    else if (!this.#isWide) this.#isWide = this.#wideReads.begin();
    const bytes = wide.subarray(0, length);
    if (this.take !== undefined) return this.take(bytes);
    // As net does it for whoever reads the socket as a stream.
    return this.socket?.push(Buffer.from(bytes)) ?? false;
  };

  /** The next read is a small one. */
  narrow(): void {
    if (this.#isWide) this.#wideReads.end();
    this.#isWide = false;
  }
}

/**
 * A socket that can lend what it reads, and then is read no further before it is asked for more. Until then it is a stream like any other;
 * bytes that wait in it come as a stream's, and before those that are lent.
 */
export class LendingSocket extends Socket implements Lender {
  readonly #intake: Intake;

  /** `options` as `net.Socket` takes them; a `handle` among them is read from at once. */
  constructor(options: object = {}, wideReads: WideReads = shared) {
    const intake = new Intake(wideReads);
    super({ ...options, onread: { buffer: intake.buffer, callback: intake.callback } });
    this.#intake = intake;
    intake.socket = this;
  }

  lend(take: TakeLent): void {
    this.#intake.take = take;
  }

  override destroy(error?: Error): this {
    this.#intake.narrow();
    return super.destroy(error);
  }
}

/** As `net.connect`, with a socket that lends. */
export function connectLending(to: { host: string; port: number } | { path: string }): Duplex & Socket {
  const socket = new LendingSocket();
  // Over TCP small frames leave at once; elsewhere it means nothing.
  socket.setNoDelay(true);
  return socket.connect(to);
}
