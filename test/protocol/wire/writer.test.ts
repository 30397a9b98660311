import { Duplex } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { createFrameWriter } from "../../../protocol/wire/writer.ts";
import { settled, slowSocket } from "./pieces.ts";

const never = new AbortController().signal;

/** A frame in which no two pieces are alike, nor any two frames. */
function patterned(size: number, salt: number): Buffer {
  const bytes = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, index) => index)));
  bytes.writeUInt8(salt % 256, 0);
  return bytes;
}

/** Takes everything that is written, until nothing comes any more. */
async function takeAll(slow: ReturnType<typeof slowSocket>): Promise<Buffer> {
  await settled();
  while (slow.take()) await settled();
  return Buffer.concat(slow.taken);
}

describe("the writer", () => {
  test("sends frames in the order they were queued, whatever their sizes", async () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 200_000 })), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async (sizes) => {
        const slow = slowSocket();
        const writer = createFrameWriter(slow.socket);
        const frames = sizes.map((size, index) => patterned(size, index));
        const sent = frames.filter((frame, index) =>
          index % 2 === 0 ? writer.offer(frame) !== undefined : writer.control(frame),
        );
        expect((await takeAll(slow)).equals(Buffer.concat(sent))).toBe(true);
        expect(writer.queued).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test("sends the frames of one tick in one write", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    for (let i = 0; i < 100; i++) writer.offer(Buffer.alloc(100, i));
    await takeAll(slow);
    expect(slow.taken.map((piece) => piece.length)).toStrictEqual([10_000]);
  });

  test("hands over pieces of at most 64 KiB, each after the one before was taken", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    writer.offer(Buffer.alloc(200_000));
    await settled();
    expect(slow.pending.map((piece) => piece.length)).toStrictEqual([limits.sendPiece]);
    await takeAll(slow);
    expect(Math.max(...slow.taken.map((piece) => piece.length))).toBe(limits.sendPiece);
  });

  test("refuses a frame over its bound, but takes any legal frame when it is empty", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    expect(writer.offer(Buffer.alloc(limits.frameBytes + 4))).toBeDefined();
    expect(writer.full).toBe(true);
    expect(writer.offer(Buffer.alloc(1))).toBeUndefined();
    expect(writer.queued).toBe(limits.frameBytes + 4);
    await takeAll(slow);
    expect(writer.full).toBe(false);
    expect(writer.offer(Buffer.alloc(limits.sendQueue))).toBeDefined();
    expect(writer.offer(Buffer.alloc(1))).toBeUndefined();
  });

  test("takes frames of the protocol itself while it is full, up to a reserve", () => {
    const writer = createFrameWriter(slowSocket().socket);
    writer.offer(Buffer.alloc(limits.frameBytes + 4));
    const piece = Buffer.alloc(limits.sendReserve / 4);
    const taken = Array.from({ length: 6 }, () => writer.control(piece));
    expect(taken).toStrictEqual([true, true, true, true, false, false]);
    expect(writer.queued).toBe(limits.frameBytes + 4 + limits.sendReserve);
  });

  test("says of each frame whether a byte of it may have left", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    const large = writer.offer(Buffer.alloc(limits.sendPiece + 1));
    const small = writer.offer(Buffer.alloc(10));
    expect(large?.handed).toBe(false);
    await settled();
    expect([large?.handed, small?.handed]).toStrictEqual([true, false]);
    slow.take();
    await settled();
    expect(small?.handed).toBe(true);
  });

  test("never says so of a frame whose socket closed before", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    writer.offer(Buffer.alloc(limits.sendPiece));
    await settled();
    const ticket = writer.offer(Buffer.alloc(10));
    slow.socket.destroy();
    slow.take();
    await settled();
    const later = writer.offer(Buffer.alloc(10));
    await settled();
    expect([ticket?.handed, later?.handed]).toStrictEqual([false, false]);
  });
});

describe("waiting for room", () => {
  test("ends when the queue falls under its bound", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    writer.offer(Buffer.alloc(limits.sendQueue + limits.sendPiece));
    let woken = 0;
    const room = writer.room(never).then(() => woken++);
    writer.onRoom(() => woken++);
    await settled();
    slow.take();
    await settled();
    expect(woken).toBe(0); // 1 MiB is still full
    slow.take();
    await room;
    expect(woken).toBe(2);
  });

  test("ends with the signal's reason, and leaves nothing behind", async () => {
    const writer = createFrameWriter(slowSocket().socket);
    writer.offer(Buffer.alloc(limits.sendQueue));
    const controller = new AbortController();
    const room = writer.room(controller.signal);
    controller.abort(new Error("enough"));
    await expect(room).rejects.toThrow("enough");
    await expect(writer.room(controller.signal)).rejects.toThrow("enough");
  });

  test("ends when the socket closes", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    writer.offer(Buffer.alloc(limits.sendQueue));
    const room = writer.room(never);
    slow.socket.destroy();
    await expect(room).resolves.toBeUndefined();
  });

  test("does not begin if the queue is empty or the socket has closed", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    await writer.room(never);
    writer.offer(Buffer.alloc(limits.sendQueue));
    slow.socket.destroy();
    await settled();
    await expect(writer.room(never)).resolves.toBeUndefined();
  });
});

describe("a socket that has closed", () => {
  test("keeps no frame in memory", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    writer.offer(Buffer.alloc(limits.frameBytes));
    slow.socket.destroy();
    await settled();
    expect(writer.queued).toBe(0);
    expect(writer.offer(Buffer.alloc(limits.frameBytes))).toStrictEqual({ handed: false });
    expect(writer.control(Buffer.alloc(10))).toBe(true);
    expect(writer.queued).toBe(0);
    expect(writer.stalledFor(performance.now() + 60_000)).toBe(0);
  });

  test("owes nothing for the write that was under way", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    writer.offer(Buffer.alloc(10));
    await settled();
    slow.socket.destroy();
    await settled();
    slow.take();
    await settled();
    expect(writer.queued).toBe(0);
  });
});

describe("flushed", () => {
  test("waits until everything was taken", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    await writer.flushed();
    writer.offer(Buffer.alloc(limits.sendPiece + 1));
    let done = false;
    const flushed = writer.flushed().then(() => (done = true));
    await settled();
    slow.take();
    await settled();
    expect(done).toBe(false);
    slow.take();
    await flushed;
  });

  test("ends when the socket closes", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    writer.offer(Buffer.alloc(10));
    const flushed = writer.flushed();
    slow.socket.destroy();
    await flushed;
    await expect(writer.flushed()).resolves.toBeUndefined();
  });
});

describe("stalledFor", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("counts from the last byte that was taken, or from the first that waits", async () => {
    const slow = slowSocket();
    const writer = createFrameWriter(slow.socket);
    expect(writer.stalledFor(performance.now() + 1_000)).toBe(0);
    vi.advanceTimersByTime(5_000);
    writer.offer(Buffer.alloc(3 * limits.sendPiece));
    await settled();
    vi.advanceTimersByTime(7_000);
    writer.offer(Buffer.alloc(10)); // more to wait for is no progress
    expect(writer.stalledFor(performance.now())).toBe(7_000);
    slow.take();
    await settled();
    expect(writer.stalledFor(performance.now())).toBe(0);
    vi.advanceTimersByTime(2_000);
    expect(writer.stalledFor(performance.now())).toBe(2_000);
    await takeAll(slow);
    expect(writer.stalledFor(performance.now() + 60_000)).toBe(0);
  });
});

test("a socket that confirms at once does not deepen the stack", async () => {
  const socket = new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });
  const writer = createFrameWriter(socket);
  for (let i = 0; i < 5_000; i++) writer.control(Buffer.alloc(200));
  await writer.flushed();
  expect(writer.queued).toBe(0);
});
