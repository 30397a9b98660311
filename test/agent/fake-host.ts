import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { parseAddress } from "../../protocol/transport/address.ts";
import { type Channel, createChannel } from "../../protocol/wire/channel.ts";
import { LinkError } from "../../protocol/wire/errors.ts";
import type { Frame, UnknownObject } from "../../protocol/wire/frame.ts";
import type { FrameType } from "../../protocol/wire/vocabulary.ts";
import { Inbox } from "./inbox.ts";

/** One exchange of a test's host. */
export interface Exchange {
  readonly id: string;
  readonly frames: Inbox<Frame>;
  /** The next frame, checked to be of that type; its payload. */
  next(type: FrameType): Promise<UnknownObject>;
  /** Reads to the terminal event: what came before it, and it. */
  rest(): Promise<Frame[]>;
  credit(limit: number): void;
  detach(): void;
}

/** A host that speaks the link by hand. */
export interface FakeHost {
  readonly socket: Socket;
  readonly channel: Channel;
  /** Frames with id "". */
  readonly link: Inbox<Frame>;
  readonly closed: Promise<LinkError>;
  send(type: FrameType, id: string, payload: object): void;
  /** Sends a message in an exchange of its own. */
  message(payload: object): Exchange;
  /** Sends a frame in an exchange of its own; resolves with the answer. */
  ask(type: FrameType, payload: object): Promise<Frame>;
  /** Says hello and waits for the heartbeat that answers it. */
  greet(token?: string): Promise<UnknownObject>;
  /** The next heartbeat with that status. */
  status(status: string): Promise<UnknownObject>;
  close(): void;
}

/** Connects and reads the first heartbeat, no more. */
export async function connectHost(address: string): Promise<FakeHost> {
  const parsed = parseAddress(address);
  const socket =
    parsed.kind === "tcp"
      ? connect(parsed.port, parsed.host)
      : connect({ path: (parsed as { path: string }).path });
  await once(socket, "connect");
  const link = new Inbox<Frame>();
  const exchanges = new Map<string, Inbox<Frame>>();
  let settle: (reason: LinkError) => void;
  const closed = new Promise<LinkError>((resolve) => {
    settle = resolve;
  });
  const channel = createChannel(socket, {
    onFrame: (frame) => (exchanges.get(frame.id) ?? link).put(frame),
    onClose: (reason) => settle(reason),
  });
  let count = 0;

  const host: FakeHost = {
    socket,
    channel,
    link,
    closed,
    send: (type, id, payload) => channel.control(type, id, payload),
    message(payload) {
      const exchange = exchangeOf(`x${++count}`, host);
      exchanges.set(exchange.id, exchange.frames);
      host.send("message", exchange.id, payload);
      return exchange;
    },
    async ask(type, payload) {
      const id = `x${++count}`;
      const frames = new Inbox<Frame>();
      exchanges.set(id, frames);
      host.send(type, id, payload);
      return frames.take();
    },
    async greet(token = "") {
      host.send("hello", "", { token, protocol: 2 });
      return (await link.take()).payload;
    },
    async status(status) {
      for (;;) {
        const frame = await link.take();
        if (frame.type === "heartbeat" && frame.payload["status"] === status) return frame.payload;
      }
    },
    close: () => channel.close(new LinkError("closed", "the test is done")),
  };
  return host;
}

function exchangeOf(id: string, host: FakeHost): Exchange {
  const frames = new Inbox<Frame>();
  return {
    id,
    frames,
    async next(type) {
      const frame = await frames.take();
      if (frame.type !== type)
        throw new Error(`expected ${type}, got ${frame.type} ${JSON.stringify(frame.payload)}`);
      return frame.payload;
    },
    async rest() {
      const got: Frame[] = [];
      for (;;) {
        const frame = await frames.take();
        got.push(frame);
        if (isTerminal(frame)) return got;
      }
    },
    credit: (limit) => host.send("credit", id, { limit }),
    detach: () => host.send("detach", id, {}),
  };
}

function isTerminal({ type, payload }: Frame): boolean {
  return type === "error" || type === "tool_blocked" || (type === "chunk" && payload["done"] === true);
}

/** Text of the chunks among frames. */
export function textOf(frames: readonly Frame[]): string {
  return frames.map(({ type, payload }) => (type === "chunk" ? (payload["content"] as string) : "")).join("");
}

/** Sequences of the frames that have one. */
export function sequencesOf(frames: readonly Frame[]): number[] {
  return frames.flatMap(({ payload }) =>
    typeof payload["sequence"] === "number" ? [payload["sequence"]] : [],
  );
}
