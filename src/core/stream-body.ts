import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Writable } from "node:stream";

/** Bytes before a piece and behind it that `sendBytes` may write to: room for what HTTP/1.1 puts around it. */
export const MARGIN = 10;

/** Largest piece handed to the connection at once, so that a slow client's progress is seen. */
export const PIECE = 64 * 1024;
/** Text up to this length is handed over as it is: it certainly is no more than a piece. */
export const SHORT = PIECE / 4;

/** What becomes of a client that takes nothing for `ms`. */
export interface Stall {
  readonly ms: number;
  drop(): void;
}

/** Whatever takes the bytes: the response itself, its connection, or its stream of HTTP/2. */
type Sink = Pick<Writable, "once" | "off" | "destroyed"> & {
  write(piece: string | Uint8Array, encoding?: BufferEncoding): boolean;
};

/**
 * The body of a streamed answer, past its first piece: that one goes through the response, which sends the head with it, as does the end. Each
 * piece is one chunk of HTTP/1.1 and one write to the connection; node:http makes four of it, and two thirds of what it costs. One piece at
 * a time.
 */
export class StreamBody {
  readonly #res: ServerResponse;
  readonly #stall: Stall | undefined;
  #isWaiting = false;

  /** Without `stall` nobody here gives up on a client that takes nothing. */
  constructor(res: ServerResponse, stall?: Stall) {
    this.#res = res;
    this.#stall = stall;
  }

  /**
   * Sends text. True: more may follow at once. Otherwise resolves with true once the client has taken enough of it that more may follow, and
   * with false if it has left or was dropped.
   */
  send(text: string): true | Promise<boolean> {
    if (text === "") return true; // as a chunk it would be the body's end
    if (text.length <= SHORT) {
      const sink = this.#sink();
      return writeText(sink, text, this.#isFramed(sink)) || this.#drained(sink);
    }
    const bytes = Buffer.allocUnsafe(Buffer.byteLength(text) + 2 * MARGIN);
    return this.sendBytes(bytes, MARGIN, MARGIN + bytes.write(text, MARGIN));
  }

  /** Sends the bytes of a buffer from `from` to `to`, and may write to its MARGIN bytes before them and behind. Answers as `send`. */
  sendBytes(buffer: Buffer, from: number, to: number): true | Promise<boolean> {
    if (from === to) return true;
    const sink = this.#sink();
    const bytes = this.#isFramed(sink) ? framed(buffer, from, to) : buffer.subarray(from, to);
    if (bytes.length > PIECE) return this.#sendPieces(sink, bytes);
    return sink.write(bytes) || this.#drained(sink);
  }

  /** Sends text that is no part of an event, unless a piece is under way, or waits for the client. */
  probe(text: string): void {
    if (this.#isWaiting) return;
    const sink = this.#sink();
    writeText(sink, text, this.#isFramed(sink));
  }

  async #sendPieces(sink: Sink, bytes: Buffer): Promise<boolean> {
    for (let at = 0; at < bytes.length; at += PIECE)
      if (!sink.write(bytes.subarray(at, at + PIECE)) && !(await this.#drained(sink))) return false;
    return true;
  }

  /**
   * Of pipelined answers only the first one has the connection; and what a response was given in this turn of the loop, it may still hold. What
   * comes meanwhile goes the same way.
   */
  #sink(): Sink {
    const { stream } = this.#res as unknown as Partial<Http2ServerResponse>;
    if (stream !== undefined) return stream;
    const { socket, writableCorked } = this.#res;
    return socket?.writable === true && writableCorked === 0 ? socket : this.#res;
  }

  /** True if pieces are framed here: HTTP/1.0 and HTTP/2 have no frames of that kind, and the response makes its own. */
  #isFramed(sink: Sink): boolean {
    return sink !== this.#res && this.#res.chunkedEncoding;
  }

  async #drained(sink: Sink): Promise<boolean> {
    this.#isWaiting = true;
    const taken = await untilDrained(sink, this.#stall);
    this.#isWaiting = false;
    return taken;
  }
}

/** Waits until a sink takes more. False: it was closed, or took nothing for the time of `stall`, which then dropped it. */
export function untilDrained(
  sink: Pick<Writable, "once" | "off" | "destroyed">,
  stall: Stall | undefined,
): Promise<boolean> {
  if (sink.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (taken: boolean) => {
      clearTimeout(timer);
      sink.off("drain", drain).off("close", close);
      resolve(taken);
    };
    const drain = () => settle(true);
    const close = () => settle(false);
    const timer =
      stall &&
      setTimeout(() => {
        settle(false);
        stall.drop();
      }, stall.ms);
    sink.once("drain", drain).once("close", close);
  });
}

/** One write, as one chunk if it is to be framed. */
function writeText(sink: Sink, text: string, isFramed: boolean): boolean {
  const bytes = Buffer.byteLength(text);
  // Text of ASCII takes the shorter way to the socket.
  const encoding = bytes === text.length ? "latin1" : "utf8";
  return sink.write(isFramed ? `${bytes.toString(16)}\r\n${text}\r\n` : text, encoding);
}

/** The bytes as a chunk of HTTP/1.1, in their own buffer. */
function framed(buffer: Buffer, from: number, to: number): Buffer {
  const head = `${(to - from).toString(16)}\r\n`;
  buffer.write(head, from - head.length, "latin1");
  buffer.write("\r\n", to, "latin1");
  return buffer.subarray(from - head.length, to + 2);
}
