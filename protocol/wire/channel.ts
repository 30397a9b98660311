import type { Duplex } from "node:stream";
import { FrameDecoder, type FrameRules } from "./decoder.ts";
import { LinkError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { encodeFrame } from "./frame.ts";
import { limits } from "./limits.ts";
import { isLender, SlicedReader, type Turns } from "./reader.ts";
import type { FrameType } from "./vocabulary.ts";
import { createFrameWriter, type FrameWriter } from "./writer.ts";

/** One connection that carries frames: one reader, one ordered writer. Knows nothing of what frames mean. */
export interface Channel {
  readonly writer: FrameWriter;
  /** Queues a small frame of the protocol itself; closes the channel if the peer takes nothing. */
  control(type: FrameType, id: string, payload: object): void;
  /** When the bytes that are decoded now were received, or got their turn: the time of a frame. */
  readonly readAt: number;
  /** When a byte was last received, or left waiting, as `monotonicNow()` says. */
  readonly heardAt: number;
  /** True while bytes of the peer wait here for their turn: what seems late may be among them. */
  readonly behind: boolean;
  /** To be called every second or so: closes the channel if a bound on time is broken. */
  check(now: number): void;
  /** Ends the channel at once; `onClose` gets the reason. Later calls do nothing. */
  close(reason: LinkError): void;
  /** Sends what is queued, waiting at most `ms`, and then closes. */
  finish(reason: LinkError, ms: number): Promise<void>;
  readonly closed: boolean;
}

/** What a channel tells its owner. */
export interface ChannelEvents {
  /** A frame came. Called synchronously for each frame of a read, in order; must not throw or wait. */
  onFrame(frame: Frame): void;
  /** The channel has ended; called once, and `onFrame` not after it. It is called from within `close`, `control` and `check`. */
  onClose(reason: LinkError): void;
}

/** What a channel may be told beside its events. */
export interface ChannelOptions {
  /** Default: the protocol's own bounds. */
  readonly rules?: FrameRules;
  /** Default: everything is decoded when it comes. */
  readonly turns?: Turns;
}

/** Makes a channel of a connected socket and starts to read. The socket belongs to the channel from here on. */
export function createChannel(socket: Duplex, events: ChannelEvents, options: ChannelOptions = {}): Channel {
  return new SocketChannel(socket, events, options);
}

class SocketChannel implements Channel {
  readonly writer: FrameWriter;
  readonly #socket: Duplex;
  readonly #events: ChannelEvents;
  readonly #reader: SlicedReader;
  #closed = false;

  constructor(socket: Duplex, events: ChannelEvents, { rules, turns }: ChannelOptions) {
    this.#socket = socket;
    this.#events = events;
    this.writer = createFrameWriter(socket);
    this.#reader = new SlicedReader(socket, new FrameDecoder(events, rules), turns, (error) =>
      this.close(LinkError.from(error, "invalid_frame")),
    );
    this.#listen();
  }

  get readAt(): number {
    return this.#reader.readAt;
  }

  get heardAt(): number {
    return this.#reader.heardAt;
  }

  get behind(): boolean {
    return this.#reader.behind;
  }

  get closed(): boolean {
    return this.#closed;
  }

  control(type: FrameType, id: string, payload: object): void {
    if (this.#closed || this.writer.control(encodeFrame(type, id, payload))) return;
    this.close(new LinkError("interrupted", "the peer takes nothing: its queue and the reserve are full"));
  }

  check(now: number): void {
    if (this.#closed) return;
    const { partialSince } = this.#reader;
    if (partialSince !== undefined && now - partialSince > limits.frameMs) {
      this.close(
        new LinkError("invalid_frame", `a frame was not complete within ${limits.frameMs / 1000} s`),
      );
    } else if (this.writer.stalledFor(now) > limits.sendStallMs) {
      this.close(new LinkError("interrupted", `the peer took nothing for ${limits.sendStallMs / 1000} s`));
    }
  }

  close(reason: LinkError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.stop();
    this.#socket.destroy();
    this.#events.onClose(reason);
  }

  async finish(reason: LinkError, ms: number): Promise<void> {
    if (this.#closed) return;
    const timer = setTimeout(() => this.close(reason), ms);
    await this.writer.flushed();
    clearTimeout(timer);
    this.close(reason);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("data", (bytes: Buffer) => this.#reader.take(bytes));
    // What the socket holds already comes as data, before anything that is read from now on.
    if (isLender(socket)) socket.lend(this.#reader.takeLent);
    // Neither end means success: what was not ended by its own frame is interrupted.
    socket.on("end", () => this.#lost("the peer closed the connection"));
    socket.on("close", () => this.#lost("the connection closed"));
    socket.on("error", (error) => this.#lost(`the connection broke: ${error.message}`, error));
    // A socket that ended before it got here says nothing any more.
    if (socket.destroyed || socket.readableEnded) {
      const cause = socket.errored ?? undefined;
      process.nextTick(() =>
        this.close(new LinkError("interrupted", "the connection was closed already", cause)),
      );
    }
  }

  /** What was received before the end still counts. */
  #lost(text: string, cause?: Error): void {
    this.#reader.afterRest(() => this.close(new LinkError("interrupted", text, cause)));
  }
}
