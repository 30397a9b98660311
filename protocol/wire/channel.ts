import type { Duplex } from "node:stream";
import { createFrameDecoder, type FrameRules } from "./decoder.ts";
import { LinkError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { encodeFrame } from "./frame.ts";
import { limits } from "./limits.ts";
import { SlicedReader, type Turns } from "./reader.ts";
import type { FrameType } from "./vocabulary.ts";
import { createFrameWriter, type FrameWriter } from "./writer.ts";

/** One connection that carries frames: one reader, one ordered writer. Knows nothing of what frames mean. */
export interface Channel {
  readonly writer: FrameWriter;
  /** Queues a small frame of the protocol itself; closes the channel where the peer takes nothing. */
  control(type: FrameType, id: string, payload: object): void;
  /** When a byte was last received, or left waiting, as `monotonicNow()` says. */
  readonly heardAt: number;
  /** True while bytes of the peer wait here for their turn: what seems late may be among them. */
  readonly behind: boolean;
  /** To be called every second or so: closes the channel where a bound on time is broken. */
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
  const writer = createFrameWriter(socket);
  const decoder = createFrameDecoder((frame) => {
    if (!closed) events.onFrame(frame);
  }, options.rules);
  const reader = new SlicedReader(socket, decoder, options.turns, (error) =>
    close(LinkError.from(error, "invalid_frame")),
  );
  let closed = false;

  function close(reason: LinkError): void {
    if (closed) return;
    closed = true;
    reader.stop();
    socket.destroy();
    events.onClose(reason);
  }

  /** What was received before the end still counts. */
  function lost(reason: LinkError): void {
    reader.afterRest(() => close(reason));
  }

  socket.on("data", (bytes: Buffer) => reader.take(bytes));
  // Neither end means success: what was not ended by its own frame is interrupted.
  socket.on("end", () => lost(new LinkError("interrupted", "the peer closed the connection")));
  socket.on("close", () => lost(new LinkError("interrupted", "the connection closed")));
  socket.on("error", (error) =>
    lost(new LinkError("interrupted", `the connection broke: ${error.message}`, error)),
  );

  // A socket that ended before it got here says nothing any more.
  if (socket.destroyed || socket.readableEnded) {
    process.nextTick(() =>
      close(new LinkError("interrupted", "the connection was closed already", socket.errored ?? undefined)),
    );
  }

  return {
    writer,
    control(type, id, payload) {
      if (closed) return;
      if (!writer.control(encodeFrame(type, id, payload))) {
        close(new LinkError("interrupted", "the peer takes nothing: its queue and the reserve are full"));
      }
    },
    get heardAt() {
      return reader.heardAt;
    },
    get behind() {
      return reader.behind;
    },
    check(now) {
      if (closed) return;
      const { partialSince } = reader;
      if (partialSince !== undefined && now - partialSince > limits.frameMs) {
        close(new LinkError("invalid_frame", `a frame was not complete within ${limits.frameMs / 1000} s`));
      } else if (writer.stalledFor(now) > limits.sendStallMs) {
        close(new LinkError("interrupted", `the peer took nothing for ${limits.sendStallMs / 1000} s`));
      }
    },
    close,
    async finish(reason, ms) {
      if (closed) return;
      const timer = setTimeout(() => close(reason), ms);
      await writer.flushed();
      clearTimeout(timer);
      close(reason);
    },
    get closed() {
      return closed;
    },
  };
}
