import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Connection } from "../../src/link/connection.ts";
import { connectTo, failureOf, forever } from "./connect.ts";
import { type Behaviour, type Session, settle, startGuest } from "./fake-guest.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Connects, and lets seconds pass; answers after which one the link was closed, and why. */
async function watch(behaviour: Partial<Behaviour>, seconds: number, each: (session: Session) => void) {
  const guest = await startGuest(behaviour);
  const connection = await connectTo(guest, { pingMs: 2_000 });
  const session = await guest.session(1);
  const seen: { end: { after: number; message: string } | undefined } = { end: undefined };
  let second = 0;
  void (async () => {
    const { message } = await connection.closed;
    seen.end = { after: second, message };
  })();
  while (second < seconds && seen.end === undefined) {
    second++;
    each(session);
    await settle(1);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  return { connection, session, end: seen.end };
}

describe("a guest that is silent", () => {
  it("is asked after 5 s whether it lives, and lost if it does not say so within the ping timeout", async () => {
    const { session, end } = await watch({ on: { ping: "keep" } }, 15, () => {});
    expect(end).toEqual({ after: 9, message: "the guest answers no ping" });
    await settle();
    expect(session.received.filter(({ type }) => type === "ping")).toHaveLength(1);
  });

  it("lives as long as it answers: with a pong", async () => {
    const { session, end } = await watch({ protocol: 1 }, 20, () => {});
    expect(end).toBeUndefined();
    expect(session.received.filter(({ type }) => type === "ping").length).toBeGreaterThan(1);
  });

  it("lives as long as any byte of it comes, even a part of a frame", async () => {
    let sent = 0;
    const { end, session } = await watch({ on: { ping: "keep" } }, 12, (session) => {
      if (sent++ === 0) session.raw(Buffer.from([0, 0, 1, 0]));
      else session.raw("x");
    });
    expect(end).toBeUndefined();
    expect(session.received.map(({ type }) => type)).not.toContain("ping");
  });

  it("is closed if a frame that it began is not complete within 30 s, though bytes keep coming", async () => {
    let second = 0;
    const { end } = await watch({}, 40, (session) => {
      if (second === 0) session.raw(Buffer.from([0, 0, 1, 0]));
      else if (second % 5 === 0) session.raw("x");
      second++;
    });
    expect(end?.message).toBe("a frame was not complete within 30 s");
  });

  it("is not lost because this process stood still while the pong waited to be read", async () => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const real = performance.now.bind(performance);
    let ahead = 0;
    vi.spyOn(performance, "now").mockImplementation(() => real() + ahead);
    const second = () => {
      ahead += 1_000;
      vi.advanceTimersByTime(1_000);
    };
    const guest = await startGuest({ on: { ping: "keep" } });
    const connection = await connectTo(guest, { pingMs: 2_000 });
    let closed = false;
    void connection.closed.then(() => (closed = true));
    for (let i = 0; i < 6; i++) second();
    const { session, frame } = await guest.next("ping");
    session.send("pong", frame.id, {});
    // Nothing of the loop runs in between: the tick is due before the socket is looked at.
    ahead += 10_000;
    second();
    await settle();
    second();
    second();
    await settle();
    expect(closed).toBe(false);
  });

  it("fails what waits for it with the cause", async () => {
    const guest = await startGuest({ on: { ping: "keep", message: "keep" } });
    const connection: Connection = await connectTo(guest, { pingMs: 2_000 });
    const exchange = await connection.open("message", { role: "user", content: "x" }, forever);
    await guest.next("message");
    const failed = failureOf(exchange.take());
    for (let i = 0; i < 10; i++) await vi.advanceTimersByTimeAsync(1_000);
    expect(await failed).toMatchObject({
      code: "interrupted",
      message: "the link to the agent was lost: the guest answers no ping",
    });
  });
});

describe("heartbeats that stop", () => {
  it("lose a guest after 30 s, though it still answers pings", async () => {
    const { end } = await watch({}, 40, () => {});
    expect(end).toEqual({ after: 31, message: "the guest's heartbeats have stopped" });
  });

  it("lose no guest that sends them", async () => {
    let second = 0;
    const { end, connection } = await watch({}, 45, (session) => second++ % 10 === 0 && session.heartbeat());
    expect(end).toBeUndefined();
    expect(performance.now() - connection.heartbeatAt).toBeLessThan(10_000);
  });

  it("lose no guest of protocol 1 that never sent a second one", async () => {
    expect((await watch({ protocol: 1 }, 45, () => {})).end).toBeUndefined();
  });

  it("lose a guest of protocol 1 that did", async () => {
    let second = 0;
    const { end } = await watch({ protocol: 1 }, 45, (session) => second++ === 0 && session.heartbeat());
    expect(end?.message).toBe("the guest's heartbeats have stopped");
  });
});
