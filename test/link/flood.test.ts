import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createIntake } from "../../src/link/intake.ts";
import { LinkError } from "../../protocol/wire/errors.ts";
import { connectTo, forever } from "./connect.ts";
import { frameBytes, lengthAndBytes } from "../helpers/frame-bytes.ts";
import { echo, type Session, settle, soon, startGuest, until } from "./fake-guest.ts";

// The guard counts by the second: with its clock stopped, what a test sends is all in one.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a guest that floods", () => {
  const floods: [string, (session: Session) => void, string][] = [
    [
      "heartbeats",
      (session) => {
        for (let i = 0; i < 100; i++) session.heartbeat();
      },
      "the guest floods heartbeats",
    ],
    [
      "a heartbeat of 60 KB",
      (session) => session.heartbeat({ padding: "x".repeat(60_000) }),
      "the guest floods heartbeats",
    ],
    [
      "a heartbeat of 60 KB whose type comes last",
      (session) => {
        const json = `{"payload":{"padding":"${"x".repeat(60_000)}"},"type":"heart\\u0062eat"}`;
        session.raw(lengthAndBytes(Buffer.from(json)));
      },
      "the guest floods heartbeats",
    ],
    [
      "large frames to unknown ids",
      (session) => {
        const frame = frameBytes("chunk", "?", { content: "x".repeat(60_000), done: false });
        for (let i = 0; i < 5; i++) session.raw(frame);
      },
      "the guest floods frames that nobody asked for",
    ],
    [
      "tiny frames of unknown types",
      (session) => session.raw(Buffer.concat(Array(3_000).fill(frameBytes("x", "", {})))),
      "the guest floods frames that nobody asked for",
    ],
    [
      "pongs",
      (session) => session.raw(Buffer.concat(Array(3_000).fill(frameBytes("pong", "", {})))),
      "the guest floods frames that nobody asked for",
    ],
    [
      "pings",
      (session) => session.raw(Buffer.concat(Array(3_000).fill(frameBytes("ping", "p", {})))),
      "the guest floods frames that nobody asked for",
    ],
  ];

  it.each(floods)("%s is cut off, and told why", async (_what, flood, message) => {
    const guest = await startGuest({ on: { pong: () => {} } });
    const connection = await connectTo(guest);
    flood(await guest.session(1));
    expect(await soon("the link to close", connection.closed)).toMatchObject({
      code: "invalid_frame",
      message,
    });
  });

  it("pings is answered a bounded number of times, and other exchanges go on", async () => {
    const guest = await startGuest({ on: { message: echo, pong: () => {} } });
    const connection = await connectTo(guest);
    const session = await guest.session(1);
    for (let i = 0; i < 200; i++) session.send("ping", `p${i}`, {});
    await until("the pings were read", () => connection.dropped === 150);
    const exchange = await connection.open("message", { role: "user", content: "x" }, forever);
    expect((await exchange.take())?.length).toBeGreaterThan(0);
    await settle();
    expect(session.received.filter(({ type }) => type === "pong")).toHaveLength(50);
  });

  it("is forgiven what it sent in the second before, and its last heartbeat of each is read", async () => {
    const guest = await startGuest();
    const read: number[] = [];
    const connection = await connectTo(guest, {
      onHeartbeat: ({ heartbeat }) => read.push(heartbeat.inFlight ?? 0),
    });
    const session = await guest.session(1);
    for (let second = 0; second < 3; second++) {
      for (let i = 1; i <= 49; i++) session.heartbeat({ in_flight: 100 * second + i });
      await until("those that are read at once are there", () => read.length === 6 * second + 5);
      await settle();
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(read).toEqual([0, 100, 200].flatMap((s) => [1, 2, 3, 4, 5, 49].map((i) => s + i)));
    connection.close(new LinkError("closed", "it was still open"));
    expect((await connection.closed).message).toBe("it was still open");
  });

  it("frames with many keys is cut off before any of them is parsed", async () => {
    const guest = await startGuest();
    const connection = await connectTo(guest);
    const parse = vi.spyOn(JSON, "parse");
    const keys = Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`key${i}`, i]));
    const session = await guest.session(1);
    for (let i = 0; i < 10; i++) session.raw(frameBytes("gossip", "", keys));
    expect(await soon("the link to close", connection.closed)).toMatchObject({
      message: "the guest floods frames that nobody asked for",
    });
    expect(parse.mock.calls.filter(([text]) => text.includes("key1"))).toEqual([]);
  });

  it("is cut off for a frame of more than 64 KiB that nothing can have asked for", async () => {
    const guest = await startGuest();
    const connection = await connectTo(guest);
    (await guest.session(1)).raw(Buffer.from([0, 1, 0, 1]));
    expect(await soon("the link to close", connection.closed)).toMatchObject({
      code: "frame_too_large",
      message: "a frame of 65537 bytes is over the limit of 65536",
    });
  });

  it("is cut off for an answer with more structure than any answer has", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    await connection.open("message", { role: "user", content: "x" }, forever);
    const { session, frame } = await guest.next("message");
    session.send("progress", frame.id, { many: Array(5_000).fill(0) });
    expect(await soon("the link to close", connection.closed)).toMatchObject({
      code: "invalid_frame",
      message: "a frame has more than 4096 tokens",
    });
  });
});

describe("a guest whose answer was given up", () => {
  it("may still send what was on its way, large frames too, and keeps its link", async () => {
    const guest = await startGuest({ on: { message: "keep", detach: "keep" } });
    const connection = await connectTo(guest);
    const exchange = await connection.open("message", { role: "user", content: "x" }, forever);
    const { session, frame } = await guest.next("message");
    exchange.detach(new LinkError("closed", "the reader left"));
    session.send("chunk", frame.id, { content: "x".repeat(200_000), done: false });
    for (let i = 0; i < 2_500; i++) session.text(frame.id, i, "y".repeat(100));
    await until("all of it was dropped", () => connection.dropped === 2_501);
    connection.close(new LinkError("closed", "it was still open"));
    expect((await connection.closed).message).toBe("it was still open");
  });

  it("is cut off if it goes on and on", async () => {
    const guest = await startGuest({ on: { message: "keep", detach: "keep" } });
    const connection = await connectTo(guest);
    const exchange = await connection.open("message", { role: "user", content: "x" }, forever);
    const { session, frame } = await guest.next("message");
    exchange.detach(new LinkError("closed", "the reader left"));
    for (let i = 0; i < 30; i++)
      session.send("chunk", frame.id, { content: "x".repeat(60_000), done: false });
    expect(await soon("the link to close", connection.closed)).toMatchObject({
      message: "the guest floods frames that nobody asked for",
    });
  });
});

describe("guests that flood together", () => {
  it("lose the one that sent the most, before the sum of all costs much", async () => {
    const intake = createIntake();
    const guests = await Promise.all(Array.from({ length: 30 }, () => startGuest()));
    const connections = await Promise.all(guests.map((guest) => connectTo(guest, { intake })));
    const closed: number[] = [];
    connections.forEach(
      (connection, i) =>
        void connection.closed.then(({ code }) => code === "invalid_frame" && closed.push(i)),
    );
    const gossip = frameBytes("gossip", "", { text: "x".repeat(50_000) });
    const sessions = await Promise.all(guests.map((guest) => guest.session(1)));
    // 200 KB each, 250 KB of the first: all are within their own bound.
    for (const session of sessions) session.raw(Buffer.concat([gossip, gossip, gossip, gossip]));
    sessions[0]?.raw(gossip);
    await until("some of them are cut off", () => closed.length > 0);
    await settle();
    expect(closed).toContain(0);
    expect(closed.length).toBeLessThan(15);
  });
});
