import { PassThrough } from "node:stream";
import { describe, expect, test, vi } from "vitest";
import { dial } from "../../../protocol/transport/dial.ts";
import { hybridHandshake } from "../../../protocol/transport/hybrid.ts";
import { createChannel } from "../../../protocol/wire/channel.ts";
import type { LinkError } from "../../../protocol/wire/errors.ts";
import { encodeFrame, type Frame } from "../../../protocol/wire/frame.ts";
import { settled, vectors } from "../wire/pieces.ts";
import { type FakeMuxer, type MuxerOptions, startFakeMuxer } from "./fake-muxer.ts";

const never = new AbortController().signal;
const OK = Buffer.from("OK 1073741824\n");

/** Runs a test against a muxer of its own. */
async function withMuxer(options: MuxerOptions, body: (muxer: FakeMuxer) => Promise<void>): Promise<void> {
  const muxer = await startFakeMuxer(options);
  try {
    await body(muxer);
  } finally {
    await muxer.close();
  }
}

function dialMuxer(muxer: FakeMuxer, port: number, signal: AbortSignal) {
  return dial({ kind: "hybrid", path: muxer.path, port }, signal);
}

/** Channels the socket and resolves with the frames that came before it closed. */
function readAll(socket: Awaited<ReturnType<typeof dial>>): Promise<{ frames: Frame[]; reason: LinkError }> {
  return new Promise((resolve) => {
    const frames: Frame[] = [];
    createChannel(socket, {
      onFrame: (frame) => void frames.push(frame),
      onClose: (reason) => resolve({ frames, reason }),
    });
  });
}

interface HybridCase {
  readonly name: string;
  readonly port: number;
  readonly steps: readonly { readonly from: "host" | "vmm"; readonly hex?: string; readonly end?: true }[];
  readonly outcome: "connected" | "closed" | "refused" | "deadline";
  readonly rest: string;
}

const cases = vectors("hybrid") as HybridCase[];

/** A muxer that plays the VMM's side of a case; if the host is connected it ends after it. */
function play({ steps, outcome }: HybridCase): MuxerOptions {
  const ends = outcome === "connected" || steps.some((step) => step.end);
  return {
    answer: () =>
      steps.flatMap((step) =>
        step.from === "vmm" && step.hex !== undefined ? [Buffer.from(step.hex, "hex")] : [],
      ),
    guest: (socket) => void (ends && socket.end()),
  };
}

describe("the hybrid handshake, as the vectors have it", () => {
  const sent = ({ steps }: HybridCase) => Buffer.from(steps[0]?.hex ?? "", "hex");

  test.each(cases.filter((one) => one.outcome === "connected"))("$name: connects", async (one) => {
    await withMuxer(play(one), async (muxer) => {
      const socket = await dialMuxer(muxer, one.port, never);
      const heard = (await socket.toArray()) as Buffer[];
      expect(Buffer.concat(heard).toString("hex")).toBe(one.rest);
      expect(muxer.requests).toStrictEqual([sent(one)]);
    });
  });

  test.each(cases.filter((one) => one.outcome === "closed" || one.outcome === "refused"))(
    "$name: fails and leaves no socket",
    async (one) => {
      await withMuxer(play(one), async (muxer) => {
        await expect(dialMuxer(muxer, one.port, never)).rejects.toMatchObject({
          code: "unreachable",
          message: expect.stringContaining(muxer.path) as string,
        });
        await muxer.allClosed();
        expect(muxer.requests).toStrictEqual([sent(one)]);
      });
    },
  );

  test.each(cases.filter((one) => one.outcome === "deadline"))("$name: waits for the signal", async (one) => {
    const answered = Promise.withResolvers<void>();
    await withMuxer({ ...play(one), guest: () => answered.resolve() }, async (muxer) => {
      const controller = new AbortController();
      const dialled = dialMuxer(muxer, one.port, controller.signal);
      await answered.promise;
      expect(muxer.open).toBe(1);
      controller.abort(new Error("too long"));
      await expect(dialled).rejects.toMatchObject({ code: "unreachable", cause: { message: "too long" } });
      await muxer.allClosed();
    });
  });
});

describe("a channel after the hybrid handshake", () => {
  const frame = (sequence: number, length: number) =>
    encodeFrame("chunk", "a", { content: "x".repeat(length), done: false, sequence });

  test.each([
    ["together with the answer", [Buffer.concat([OK, frame(1, 10), frame(2, 10)])]],
    [
      "in part together with the answer",
      [Buffer.concat([OK, frame(1, 10).subarray(0, 7)]), frame(1, 10).subarray(7), frame(2, 10)],
    ],
    [
      "byte by byte",
      Array.from(Buffer.concat([OK, frame(1, 1), frame(2, 1)]), (byte) => Buffer.from([byte])),
    ],
    ["in more bytes than one read takes", [Buffer.concat([OK, frame(1, 300_000), frame(2, 300_000)])]],
  ])("gets frames that came %s", async (_, answer) => {
    await withMuxer({ answer: () => answer, guest: (socket) => void socket.end() }, async (muxer) => {
      const { frames, reason } = await readAll(await dialMuxer(muxer, 1024, never));
      expect(frames.map(({ payload }) => payload["sequence"])).toStrictEqual([1, 2]);
      expect(reason.code).toBe("interrupted");
    });
  });

  test("gets them too if it is made later", async () => {
    const answer = [Buffer.concat([OK, frame(1, 100_000)]), frame(2, 100_000)];
    await withMuxer({ answer: () => answer, guest: (socket) => void socket.end() }, async (muxer) => {
      const socket = await dialMuxer(muxer, 1024, never);
      for (let turn = 0; turn < 20; turn++) await settled();
      const { frames } = await readAll(socket);
      expect(frames.map(({ payload }) => payload["sequence"])).toStrictEqual([1, 2]);
    });
  });

  test("speaks both ways", async () => {
    const guest: MuxerOptions["guest"] = (socket) => {
      const channel = createChannel(socket, {
        onFrame: ({ id }) => channel.control("pong", id, {}),
        onClose() {},
      });
    };
    const answer = () => [Buffer.concat([OK, encodeFrame("ping", "guest", {})])];
    await withMuxer({ answer, guest }, async (muxer) => {
      const socket = await dialMuxer(muxer, 1024, never);
      const pong = Promise.withResolvers<string>();
      const channel = createChannel(socket, {
        onFrame: ({ type, id }) => (type === "ping" ? channel.control("ping", "host", {}) : pong.resolve(id)),
        onClose: pong.reject,
      });
      expect(await pong.promise).toBe("host");
      socket.destroy();
      await muxer.allClosed();
    });
  });

  test("is told if the connection ended together with the answer", async () => {
    await withMuxer({ guest: (socket) => void socket.end() }, async (muxer) => {
      const socket = await dialMuxer(muxer, 1024, never);
      for (let turn = 0; turn < 20; turn++) await settled();
      const { frames, reason } = await readAll(socket);
      expect(frames).toHaveLength(0);
      expect(reason.code).toBe("interrupted");
    });
  });
});

test("an aborted handshake sends nothing and destroys the socket", async () => {
  const socket = new PassThrough();
  const write = vi.spyOn(socket, "write");
  const aborted = AbortSignal.abort(new Error("too late"));
  await expect(hybridHandshake(socket, 1024, aborted)).rejects.toThrow("too late");
  expect(write).not.toHaveBeenCalled();
  expect(socket.destroyed).toBe(true);
});

test("a connection that breaks in the handshake gives its error", async () => {
  const socket = new PassThrough();
  const handshake = hybridHandshake(socket, 1024, never);
  socket.destroy(new Error("ECONNRESET"));
  await expect(handshake).rejects.toThrow("ECONNRESET");
});

describe("a muxer", () => {
  const hello: MuxerOptions["guest"] = (socket) => void socket.write("hello");

  test("gives each connection to one guest port a host port of its own", async () => {
    await withMuxer({ guest: hello }, async (muxer) => {
      const sockets = await Promise.all([1024, 1024, 1025].map((port) => dialMuxer(muxer, port, never)));
      expect(new Set(muxer.hostPorts).size).toBe(3);
      for (const socket of sockets) socket.destroy();
      await muxer.allClosed();
    });
  });

  test("whose next host port is in use ends the connection, which is dialled again", async () => {
    await withMuxer({ guest: hello, hostPorts: 2 }, async (muxer) => {
      const first = await dialMuxer(muxer, 1024, never);
      const second = await dialMuxer(muxer, 1024, never);
      await expect(dialMuxer(muxer, 1024, never)).rejects.toMatchObject({ code: "unreachable" });
      second.destroy();
      while (muxer.open > 1) await settled();
      const third = await dialMuxer(muxer, 1024, never);
      for (const socket of [first, third]) socket.destroy();
      await muxer.allClosed();
    });
  });

  test("of a machine that was restored says nothing on old connections, nor to the first CONNECT", async () => {
    const told: string[] = [];
    const guest: MuxerOptions["guest"] = (socket) => {
      socket.on("data", (bytes: Buffer) => told.push(String(bytes)));
      socket.once("end", () => told.push("end"));
      socket.write("hello");
    };
    await withMuxer({ guest }, async (muxer) => {
      const old = await dialMuxer(muxer, 1024, never);
      old.on("data", () => {});
      muxer.restore();
      old.write("is anybody there?");
      const unanswered = new AbortController();
      const dialled = dialMuxer(muxer, 1024, unanswered.signal);
      while (muxer.requests.length < 2) await settled();
      unanswered.abort(new Error("too long"));
      await expect(dialled).rejects.toMatchObject({ cause: { message: "too long" } });
      const next = await dialMuxer(muxer, 1024, never);
      while (!told.includes("end")) await settled();
      expect(told).toEqual(["end"]);
      expect(old.destroyed).toBe(false);
      for (const socket of [old, next]) socket.destroy();
      await muxer.allClosed();
    });
  });
});
