import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LinkError } from "../../src/wire/errors.ts";
import { connectTo, forever } from "./connect.ts";
import { frameBytes } from "../helpers/frame-bytes.ts";
import { echo, type Session, settle, soon, startGuest, until } from "./fake-guest.ts";

// The guard counts by the second: with its clock stopped, what a test sends is all in one.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
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
      "heartbeats of 4 MiB",
      (session) => {
        for (let i = 0; i < 5; i++) session.heartbeat({ padding: "x".repeat(4_000_000) });
      },
      "the guest floods heartbeats",
    ],
    [
      "large frames to unknown ids",
      (session) => {
        const frame = frameBytes("chunk", "?", { content: "x".repeat(1_000_000), done: false });
        for (let i = 0; i < 20; i++) session.raw(frame);
      },
      "the guest floods frames that nobody asked for",
    ],
    [
      "tiny frames of unknown types",
      (session) => session.raw(Buffer.concat(Array(60_000).fill(frameBytes("x", "", {})))),
      "the guest floods frames that nobody asked for",
    ],
    [
      "pongs",
      (session) => session.raw(Buffer.concat(Array(60_000).fill(frameBytes("pong", "", {})))),
      "the guest floods frames that nobody asked for",
    ],
    [
      "pings",
      (session) => session.raw(Buffer.concat(Array(60_000).fill(frameBytes("ping", "p", {})))),
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

  it("is forgiven what it sent in the second before", async () => {
    const guest = await startGuest();
    let heartbeats = 0;
    const connection = await connectTo(guest, { onHeartbeat: () => heartbeats++ });
    const session = await guest.session(1);
    for (let second = 1; second <= 3; second++) {
      for (let i = 0; i < 50; i++) session.heartbeat();
      await until("the heartbeats are there", () => heartbeats === 50 * second);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    connection.close(new LinkError("closed", "it was still open"));
    expect((await connection.closed).message).toBe("it was still open");
  });
});
