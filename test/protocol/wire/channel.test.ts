import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Channel, createChannel } from "../../../protocol/wire/channel.ts";
import { LinkError } from "../../../protocol/wire/errors.ts";
import { encodeFrame, type Frame } from "../../../protocol/wire/frame.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { rawFrame, settled, slowSocket } from "./pieces.ts";

/** A channel over a socket in memory, and what it told. */
function open(onFrame?: (channel: Channel, frame: Frame) => void) {
  const slow = slowSocket();
  const frames: Frame[] = [];
  const reasons: LinkError[] = [];
  const channel: Channel = createChannel(slow.socket, {
    onFrame(frame) {
      frames.push(frame);
      onFrame?.(channel, frame);
    },
    onClose: (reason) => void reasons.push(reason),
  });
  return { ...slow, channel, frames, reasons };
}

const pong = encodeFrame("pong", "a", {});

describe("a channel", () => {
  test("hands on the frames of a read in order", async () => {
    const { socket, frames } = open();
    socket.push(Buffer.concat([pong, encodeFrame("ping", "b", {})]));
    await settled();
    expect(frames.map(({ type, id }) => [type, id])).toStrictEqual([
      ["pong", "a"],
      ["ping", "b"],
    ]);
  });

  test("tells once why it closed, whatever happens after", async () => {
    const { socket, channel, reasons } = open();
    const reason = new LinkError("closed", "enough");
    channel.close(reason);
    channel.close(new LinkError("timeout", "later"));
    socket.emit("error", new Error("late"));
    socket.push(pong);
    channel.control("ping", "a", {});
    channel.check(performance.now() + 3_600_000);
    await settled();
    expect(reasons).toStrictEqual([reason]);
    expect(channel.closed).toBe(true);
    expect(socket.destroyed).toBe(true);
  });

  test("hands on no frame after it was closed within one", async () => {
    const { socket, frames, reasons } = open((channel) => channel.close(new LinkError("refused", "no")));
    socket.push(Buffer.concat([pong, pong, rawFrame("no JSON")]));
    await settled();
    expect(frames).toHaveLength(1);
    expect(reasons.map((reason) => reason.code)).toStrictEqual(["refused"]);
  });

  test.each([
    ["invalid_frame", rawFrame("no JSON")],
    ["frame_too_large", Buffer.from("ffffffff", "hex")],
  ])("closes with %s if the peer breaks the framing", async (code, bytes) => {
    const { socket, reasons } = open();
    socket.push(bytes);
    await settled();
    expect(reasons.map((reason) => reason.code)).toStrictEqual([code]);
    expect(socket.destroyed).toBe(true);
  });

  test("is interrupted if the connection breaks, with the cause", async () => {
    const { socket, reasons } = open();
    const cause = new Error("ECONNRESET");
    socket.destroy(cause);
    await settled();
    expect(reasons).toStrictEqual([expect.objectContaining({ code: "interrupted", cause })]);
  });

  test.each(["end", "destroy"] as const)("is interrupted if the connection ends (%s)", async (how) => {
    const { socket, reasons } = open();
    if (how === "end") socket.push(null);
    else socket.destroy();
    await settled();
    expect(reasons.map((reason) => reason.code)).toStrictEqual(["interrupted"]);
  });

  test("of a socket that was closed already is interrupted too", async () => {
    const { socket } = slowSocket();
    socket.destroy();
    await settled();
    const closed = Promise.withResolvers<LinkError>();
    createChannel(socket, { onFrame() {}, onClose: closed.resolve });
    expect((await closed.promise).code).toBe("interrupted");
  });

  test("closes if the peer takes nothing and the reserve is full", () => {
    const { channel, reasons } = open();
    channel.writer.offer(Buffer.alloc(limits.frameBytes + 4));
    const reason = "x".repeat(limits.sendReserve / 2);
    channel.control("cancel", "a", { reason });
    expect(reasons).toHaveLength(0);
    channel.control("cancel", "a", { reason });
    expect(reasons.map((reason) => reason.code)).toStrictEqual(["interrupted"]);
  });

  test("finishes by sending what is queued first", async () => {
    const { socket, channel, reasons, take, taken } = open();
    channel.control("pong", "a", {});
    const reason = new LinkError("closed", "bye");
    const finished = channel.finish(reason, 10_000);
    await settled();
    expect(reasons).toHaveLength(0);
    take();
    await finished;
    expect(reasons).toStrictEqual([reason]);
    expect(Buffer.concat(taken)).toStrictEqual(pong);
    expect(socket.destroyed).toBe(true);
  });

  test("finishes in time if the peer takes nothing", async () => {
    const { channel, reasons } = open();
    channel.control("pong", "a", {});
    await channel.finish(new LinkError("closed", "bye"), 5);
    expect(reasons.map((reason) => reason.code)).toStrictEqual(["closed"]);
  });
});

describe("a channel's bounds on time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const frame = encodeFrame("chunk", "a", { content: "x".repeat(1000), done: false });

  test("a frame that is not complete in 30 s ends it, even while pieces trickle in", async () => {
    const { socket, channel, reasons } = open();
    for (let second = 0; second <= 30; second++) {
      socket.push(frame.subarray(second, second + 1));
      await settled();
      channel.check(performance.now());
      expect(reasons).toHaveLength(0);
      vi.advanceTimersByTime(1_000);
    }
    channel.check(performance.now());
    expect(reasons.map((reason) => reason.code)).toStrictEqual(["invalid_frame"]);
  });

  test("frames that complete, each read ending inside the next one, never end it", async () => {
    const { socket, channel, frames, reasons } = open();
    socket.push(frame.subarray(0, 10));
    for (let i = 0; i < 10; i++) {
      await settled();
      vi.advanceTimersByTime(20_000);
      channel.check(performance.now());
      socket.push(Buffer.concat([frame.subarray(10), frame.subarray(0, 10)]));
    }
    await settled();
    expect(reasons).toHaveLength(0);
    expect(frames).toHaveLength(10);
  });

  test("silence between frames does not end it", async () => {
    const { socket, channel, reasons } = open();
    socket.push(frame);
    await settled();
    vi.advanceTimersByTime(3_600_000);
    channel.check(performance.now());
    expect(reasons).toHaveLength(0);
    expect(performance.now() - channel.heardAt).toBe(3_600_000);
  });

  test("a peer that takes nothing for 10 s ends it", async () => {
    const { channel, reasons } = open();
    channel.control("pong", "a", {});
    await settled();
    vi.advanceTimersByTime(limits.sendStallMs);
    channel.check(performance.now());
    expect(reasons).toHaveLength(0);
    vi.advanceTimersByTime(1);
    channel.check(performance.now());
    expect(reasons.map((reason) => reason.code)).toStrictEqual(["interrupted"]);
  });
});

describe("a channel over TCP", () => {
  /** Two sockets that are connected to each other. */
  async function pair(): Promise<{ near: Socket; far: Socket }> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [far] = await accepted;
    server.close();
    return { near, far };
  }

  test("carries large frames both ways and ends both sides", async () => {
    const { near, far } = await pair();
    const text = "x".repeat(3_000_000);
    const ends = [near, far].map((socket) => {
      const got = Promise.withResolvers<Frame>();
      const closed = Promise.withResolvers<LinkError>();
      const channel = createChannel(socket, { onFrame: got.resolve, onClose: closed.resolve });
      channel.writer.offer(encodeFrame("chunk", "a", { content: text, done: false }));
      return { channel, got: got.promise, closed: closed.promise };
    });
    for (const { got } of ends) expect((await got).payload["content"]).toBe(text);
    ends[0]?.channel.close(new LinkError("closed", "bye"));
    const codes = await Promise.all(ends.map(async ({ closed }) => (await closed).code));
    expect(codes).toStrictEqual(["closed", "interrupted"]);
  });
});
