import type { Duplex } from "node:stream";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createChannel } from "../../../protocol/wire/channel.ts";
import type { LinkError } from "../../../protocol/wire/errors.ts";
import { encodeFrame } from "../../../protocol/wire/frame.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import type { TakeLent, Turns, Waiting } from "../../../protocol/wire/reader.ts";
import { settled, slowSocket } from "./pieces.ts";

/** Turns that a test gives out. */
class GivenTurns implements Turns {
  /** Whether what comes is decoded at once. */
  open = false;
  /** Whether who has decoded all of a read has to wait before it reads on. */
  crowded = false;
  readonly waiting: Waiting[] = [];
  mostFrames = Infinity;
  readonly used = vi.fn<Turns["used"]>();
  until(): number {
    return this.open ? Infinity : 0;
  }
  hold(waiting: Waiting): void {
    this.waiting.push(waiting);
  }
  rest(waiting: Waiting): boolean {
    if (this.crowded) this.waiting.push(waiting);
    return this.crowded;
  }
  /** Gives the first that waits a turn in which the time is over at once; answers how many frames were decoded. */
  serve(): number {
    return this.waiting.shift()?.serve(-1).frames ?? 0;
  }
}

function open(made: (socket: Duplex) => Duplex = (socket) => socket) {
  const socket = made(slowSocket().socket);
  const turns = new GivenTurns();
  const ids: string[] = [];
  const reasons: LinkError[] = [];
  const channel = createChannel(
    socket,
    { onFrame: ({ id }) => ids.push(id), onClose: (reason) => reasons.push(reason) },
    { turns },
  );
  return { socket, turns, ids, reasons, channel };
}

const frames = (from: number, to: number) =>
  Buffer.concat(Array.from({ length: to - from }, (_, i) => encodeFrame("chunk", `${from + i}`, {})));
const names = (to: number) => Array.from({ length: to }, (_, i) => `${i}`);

afterEach(() => {
  vi.useRealTimers();
});

describe("a channel among others", () => {
  test("decodes at once if there is time", async () => {
    const { socket, turns, ids, channel } = open();
    turns.open = true;
    socket.push(frames(0, 100));
    await settled();
    expect(ids).toEqual(names(100));
    expect(channel.behind).toBe(false);
    expect(turns.waiting).toHaveLength(0);
  });

  test("keeps its frames in order over many slices, and reads no further meanwhile", async () => {
    const { socket, turns, ids, channel } = open();
    socket.push(frames(0, 100));
    await settled();
    expect(ids).toEqual([]);
    expect(channel.behind).toBe(true);
    expect(socket.isPaused()).toBe(true);
    turns.open = true;
    socket.push(frames(100, 120));
    let slices = 0;
    for (; turns.waiting.length > 0; slices++) {
      expect(ids.length).toBeLessThan(100);
      turns.serve();
    }
    expect(slices).toBeGreaterThan(3);
    await settled();
    expect(ids).toEqual(names(120));
    expect(channel.behind).toBe(false);
    expect(socket.isPaused()).toBe(false);
  });

  test("whose bytes wait is not silent, and its frame not late", async () => {
    const { socket, turns, channel, reasons } = open();
    socket.push(frames(0, 1).subarray(0, 10));
    await settled();
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    const now = performance.now();
    expect(channel.heardAt).toBeGreaterThanOrEqual(now);
    channel.check(now + 3_600_000);
    expect(reasons).toEqual([]);
    turns.serve();
    channel.check(performance.now() + 3_600_000);
    expect(reasons.map(({ message }) => message)).toEqual(["a frame was not complete within 30 s"]);
  });

  test("delivers what it has before it tells that the connection is gone", async () => {
    const { socket, turns, ids, reasons } = open();
    socket.push(frames(0, 40));
    await settled();
    socket.destroy(new Error("ECONNRESET"));
    await settled();
    expect(reasons).toEqual([]);
    while (turns.waiting.length > 0) turns.serve();
    expect(ids).toEqual(names(40));
    expect(reasons.map(({ message }) => message)).toEqual(["the connection broke: ECONNRESET"]);
  });

  test("that is closed by its owner delivers nothing of what waits", async () => {
    const { socket, turns, ids, channel } = open();
    socket.push(frames(0, 40));
    await settled();
    channel.close(new Error("enough") as LinkError);
    expect(turns.serve()).toBe(0);
    expect(ids).toEqual([]);
  });

  test("ends at a broken frame in a slice, after those before it", async () => {
    const { socket, turns, ids, reasons } = open();
    socket.push(Buffer.concat([frames(0, 20), Buffer.from([0, 0, 0, 2, 0x5b, 0x5d]), frames(20, 21)]));
    await settled();
    while (turns.waiting.length > 0) turns.serve();
    expect(ids).toEqual(names(20));
    expect(reasons.map(({ code }) => code)).toEqual(["invalid_frame"]);
  });

  test("that is crowded decodes its read, and reads on in its turn", async () => {
    const { socket, turns, ids, channel } = open();
    turns.open = turns.crowded = true;
    socket.push(frames(0, 20));
    await settled();
    expect(ids).toEqual(names(20));
    expect(channel.behind).toBe(true);
    expect(socket.isPaused()).toBe(true);
    socket.push(frames(20, 40));
    await settled();
    expect(ids).toHaveLength(20);
    expect(turns.serve()).toBe(0);
    expect(channel.behind).toBe(false);
    await settled();
    expect(ids).toEqual(names(40));
  });

  test("says how much it decoded", async () => {
    const { socket, turns } = open();
    turns.open = true;
    const bytes = frames(0, 20);
    socket.push(bytes);
    await settled();
    expect(turns.used.mock.calls).toEqual([
      [{ frames: 20, bytes: bytes.length, ms: expect.any(Number) as number }],
    ]);
  });

  test("decodes no more than a slice's frames of one read, however much time there is", async () => {
    const { socket, turns, ids } = open();
    turns.open = true;
    turns.mostFrames = limits.readSliceFrames;
    socket.push(frames(0, 3 * limits.readSliceFrames));
    await settled();
    expect(ids).toHaveLength(limits.readSliceFrames);
    expect(turns.waiting[0]?.serve(Infinity).frames).toBe(limits.readSliceFrames);
    expect(turns.waiting[1]?.serve(Infinity).frames).toBe(limits.readSliceFrames);
    expect(ids).toEqual(names(3 * limits.readSliceFrames));
  });

  test("does not count the time in which it is not read against a frame that is not complete", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { socket, turns, channel, reasons } = open();
    turns.open = turns.crowded = true;
    socket.push(frames(0, 1).subarray(0, 10));
    await settled();
    vi.advanceTimersByTime(10 * limits.frameMs);
    turns.crowded = false;
    turns.serve();
    channel.check(performance.now() + limits.frameMs - 1);
    expect(reasons).toEqual([]);
    channel.check(performance.now() + limits.frameMs + 1);
    expect(reasons.map(({ message }) => message)).toEqual(["a frame was not complete within 30 s"]);
  });
});

describe("a channel of a socket that lends", () => {
  /** A socket in memory that lends, and what the channel on it was told. */
  function lending() {
    let take: TakeLent | undefined;
    const parts = open((socket) =>
      Object.assign(socket, {
        lend: (to: TakeLent) => {
          take = to;
        },
      }),
    );
    const memory = Buffer.alloc(64 * 1024);
    /** A read: true if there may be another one. */
    const read = (bytes: Buffer): boolean => {
      bytes.copy(memory);
      const goesOn = take?.(memory.subarray(0, bytes.length));
      memory.fill(0xff);
      return goesOn === true;
    };
    return { ...parts, read };
  }

  test("decodes what is lent at once, and reads on", () => {
    const { turns, ids, read } = lending();
    turns.open = true;
    expect(read(frames(0, 50))).toBe(true);
    expect(ids).toEqual(names(50));
    expect(turns.waiting).toEqual([]);
  });

  test("keeps a copy of what has to wait, and reads no further", () => {
    const { turns, ids, read } = lending();
    expect(read(frames(0, 50))).toBe(false);
    while (turns.waiting.length > 0) turns.serve();
    expect(ids).toEqual(names(50));
  });

  test("keeps a frame that spans reads, whatever becomes of the memory", () => {
    const { turns, ids, read } = lending();
    turns.open = true;
    const bytes = frames(0, 2);
    expect(read(bytes.subarray(0, 20))).toBe(true);
    expect(read(bytes.subarray(20, 21))).toBe(true);
    expect(read(bytes.subarray(21))).toBe(true);
    expect(ids).toEqual(names(2));
  });

  test("decodes what came before it was lent first", async () => {
    const { socket, turns, ids, read } = lending();
    turns.open = true;
    socket.push(frames(0, 5));
    await settled();
    read(Buffer.concat([frames(5, 9)]));
    expect(ids).toEqual(names(9));
  });
});
