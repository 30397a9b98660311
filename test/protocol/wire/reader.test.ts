import { describe, expect, test } from "vitest";
import { createChannel } from "../../../protocol/wire/channel.ts";
import type { LinkError } from "../../../protocol/wire/errors.ts";
import { encodeFrame } from "../../../protocol/wire/frame.ts";
import type { Turns, Waiting } from "../../../protocol/wire/reader.ts";
import { settled, slowSocket } from "./pieces.ts";

/** Turns that a test gives out. */
class GivenTurns implements Turns {
  /** Whether what comes is decoded at once. */
  open = false;
  readonly waiting: Waiting[] = [];
  until(): number {
    return this.open ? Infinity : 0;
  }
  used(): void {}
  wait(waiting: Waiting): void {
    this.waiting.push(waiting);
  }
  /** Gives the first that waits a turn in which the time is over at once; true if it has more. */
  serve(): boolean {
    return this.waiting.shift()?.slice(-1) ?? false;
  }
}

function open() {
  const { socket } = slowSocket();
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
    let slices = 1;
    for (; turns.waiting[0]?.slice(-1) === true; slices++) expect(ids.length).toBeLessThan(100);
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
    while (turns.waiting[0]?.slice(-1) === true);
    expect(ids).toEqual(names(40));
    expect(reasons.map(({ message }) => message)).toEqual(["the connection broke: ECONNRESET"]);
  });

  test("that is closed by its owner delivers nothing of what waits", async () => {
    const { socket, turns, ids, channel } = open();
    socket.push(frames(0, 40));
    await settled();
    channel.close(new Error("enough") as LinkError);
    expect(turns.serve()).toBe(false);
    expect(ids).toEqual([]);
  });

  test("ends at a broken frame in a slice, after those before it", async () => {
    const { socket, turns, ids, reasons } = open();
    socket.push(Buffer.concat([frames(0, 20), Buffer.from([0, 0, 0, 2, 0x5b, 0x5d]), frames(20, 21)]));
    await settled();
    while (turns.waiting[0]?.slice(-1) === true);
    expect(ids).toEqual(names(20));
    expect(reasons.map(({ code }) => code)).toEqual(["invalid_frame"]);
  });
});
