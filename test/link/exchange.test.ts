import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Exchange } from "../../src/link/exchange.ts";
import { LinkError } from "../../protocol/wire/errors.ts";
import type { Frame } from "../../protocol/wire/frame.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { connectTo, failureOf, forever } from "./connect.ts";
import { frameBytes } from "../helpers/frame-bytes.ts";
import { echo, type Guest, type Session, settle, startGuest, until } from "./fake-guest.ts";

const ask = { role: "user", content: "hi", credit: limits.creditWindow };

/** Every frame of an exchange, to its end. */
async function readAll(exchange: Exchange): Promise<Frame[]> {
  const all: Frame[] = [];
  for (;;) {
    const frames = await exchange.take();
    if (frames === undefined) return all;
    all.push(...frames);
  }
}

const textOf = (frames: Frame[]) =>
  frames.map(({ payload }) => payload["content"] as string | undefined).join("");

describe("exchanges on one link", () => {
  it("get their own frames and nobody else's, however these are mixed", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(7), { minLength: 1, maxLength: 200 }),
        fc.array(fc.nat(200), { maxLength: 20 }),
        async (turns, noiseAt) => {
          const exchanges = await Promise.all(
            Array.from({ length: 8 }, () => connection.open("message", ask, forever)),
          );
          const session = await guest.session(1);
          for (const _ of exchanges) await guest.next("message");
          const expected = exchanges.map(() => "");
          turns.forEach((turn, i) => {
            expected[turn] += `${turn}.${i};`;
            session.send("chunk", exchanges[turn]?.id ?? "", { content: `${turn}.${i};`, done: false });
            if (noiseAt.includes(i)) session.send("chunk", "somebody", { content: "noise", done: true });
          });
          for (const exchange of exchanges) session.send("chunk", exchange.id, { content: "", done: true });
          const answers = await Promise.all(exchanges.map(readAll));
          expect(answers.map(textOf)).toEqual(expected);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("see nothing of what a guest sends after the last frame of another", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    for (const last of ["error", "tool_blocked", "chunk"]) {
      const first = await connection.open("message", ask, forever);
      const { session } = await guest.next("message");
      session.send(last, first.id, { code: "internal", message: "", content: "", done: true });
      session.send("chunk", first.id, { content: "late", done: false });
      session.send("chunk", first.id, { content: "later", done: true });
      const second = await connection.open("message", ask, forever);
      session.send("chunk", second.id, { content: "own", done: true });
      expect(await readAll(first)).toHaveLength(1);
      expect(textOf(await readAll(second))).toBe("own");
    }
    expect(connection.dropped).toBe(6);
  });

  it("go on if a guest sends unknown types, unknown ids and frames of the host's", async () => {
    const guest = await startGuest({
      on: {
        message(session, frame) {
          for (const type of ["novelty", "hello", "credit", "message", "detach", "constructor", "__proto__"])
            session.send(type, frame.id, {});
          for (const id of ["", "?", "toString"]) session.send("chunk", id, { content: "x", done: true });
          echo(session, frame);
        },
      },
    });
    const connection = await connectTo(guest);
    expect(textOf(await readAll(await connection.open("message", ask, forever)))).toBe("hi");
    expect(connection.dropped).toBe(10);
  });

  it("are named by 128 random bits", async () => {
    const guest = await startGuest({ on: { message: echo } });
    const connection = await connectTo(guest);
    const ids = new Set<string>();
    for (let i = 0; i < 50; i++) ids.add((await connection.open("message", ask, forever)).id);
    expect(ids.size).toBe(50);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });

  it("all end when the link does, each knowing whether its frame may have arrived", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    const sent = await connection.open("message", ask, forever);
    const { session } = await guest.next("message");
    session.text(sent.id, 1, "before");
    expect(textOf([...((await sent.take()) ?? [])])).toBe("before");
    session.socket.destroy();
    expect(await failureOf(sent.take())).toMatchObject({
      code: "interrupted",
      message: expect.stringContaining("the link to the agent was lost: the"),
    });
    await expect(connection.open("message", ask, forever)).rejects.toMatchObject({ code: "unreachable" });
  });

  it("were never begun if the link ends before their frame could leave", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    const exchange = await connection.open("message", ask, forever);
    connection.close(new LinkError("interrupted", "gone"));
    expect(await failureOf(exchange.take())).toMatchObject({ code: "unreachable" });
  });

  it("are bounded in number if the guest itself bounds nothing", async () => {
    const guest = await startGuest({ protocol: 1, on: { message: "keep" } });
    const connection = await connectTo(guest);
    const open = () => connection.open("message", ask, forever);
    const exchanges = await Promise.all(Array.from({ length: limits.runsInFlight }, open));
    expect(await failureOf(open())).toMatchObject({ code: "busy" });
    const { session } = await guest.next("message");
    session.send("chunk", exchanges[0]?.id ?? "", { content: "", done: true });
    await readAll(exchanges[0] as Exchange);
    await expect(open()).resolves.toBeDefined();
  });
});

describe("a request", () => {
  it("is answered by the frame with its id alone", async () => {
    const guest = await startGuest({ on: { config_update: "keep" } });
    const connection = await connectTo(guest);
    const answered = connection.request("config_update", {}, 5_000);
    const { session, frame } = await guest.next("config_update");
    session.heartbeat();
    session.send("config_ack", "another", { applied: true });
    session.send("pong", frame.id, {});
    session.send("config_ack", frame.id, { applied: false });
    expect(await answered).toMatchObject({ type: "config_ack", payload: { applied: false } });
  });

  it("ends in time, and its late answer goes nowhere", async () => {
    const guest = await startGuest({ on: { config_update: "keep" } });
    const connection = await connectTo(guest);
    expect(await failureOf(connection.request("config_update", {}, 30))).toMatchObject({
      code: "timeout",
      message: "no answer to config_update within 30 ms",
    });
    const { session, frame } = await guest.next("config_update");
    const next = connection.request("config_update", {}, 5_000);
    session.send("config_ack", frame.id, { applied: true });
    session.send("config_ack", (await guest.next("config_update")).frame.id, { applied: false });
    expect((await next).payload).toEqual({ applied: false });
    expect(connection.dropped).toBe(1);
  });

  it("makes no signal of its own while the queue towards the guest has room", async () => {
    const guest = await startGuest();
    const connection = await connectTo(guest);
    const made = vi.spyOn(AbortSignal, "timeout");
    await Promise.all(Array.from({ length: 20 }, () => connection.request("config_update", {}, 5_000)));
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
  });

  it("takes no longer than it may if the queue towards the guest is full", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    (await guest.session(1)).socket.pause();
    await stuff(connection.open.bind(connection));
    const big = { config: { text: "x".repeat(300_000) } };
    const began = performance.now();
    expect(await failureOf(connection.request("config_update", big, 100))).toMatchObject({ code: "busy" });
    expect(performance.now() - began).toBeLessThan(190);
  });

  it("never tells the guest to stop: that is for messages alone", async () => {
    const guest = await startGuest({ on: { cancel: "keep", detach: "keep", message: echo } });
    const connection = await connectTo(guest);
    await failureOf(connection.request("cancel", { request_id: "r", reason: "" }, 20));
    await readAll(await connection.open("message", ask, forever));
    expect((await guest.session(1)).received.map(({ type }) => type)).not.toContain("detach");
  });
});

/** Fills the queue towards a guest that reads nothing; answers what was opened. */
async function stuff(open: (type: "message", payload: object, signal: AbortSignal) => Promise<Exchange>) {
  const big = { ...ask, content: "x".repeat(300_000) };
  const opened: Exchange[] = [];
  for (let i = 0; i < 100; i++) {
    const exchange = await open("message", big, AbortSignal.timeout(40)).catch((error: unknown) => error);
    if (exchange instanceof LinkError) return { opened, refusal: exchange };
    opened.push(exchange as Exchange);
  }
  throw new Error("the queue has no bound");
}

describe("a guest that accepts and never reads", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("makes messages wait, then fail as busy; after 10 s without progress the link is closed", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    const connection = await connectTo(guest);
    const session = await guest.session(1);
    session.socket.pause();
    const { opened, refusal } = await stuff(connection.open.bind(connection));
    expect(refusal).toMatchObject({ code: "busy", message: "the queue towards the agent stayed full" });
    for (let i = 0; i < 12; i++) {
      session.heartbeat(); // it lives, and would otherwise be closed for its silence
      await settle(1);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(await connection.closed).toMatchObject({
      code: "interrupted",
      message: "the peer took nothing for 10 s",
    });
    expect(await failureOf((opened.at(-1) as Exchange).take())).toMatchObject({ code: "unreachable" });
    expect(await failureOf((opened[0] as Exchange).take())).toMatchObject({ code: "interrupted" });
  });
});

/** Sends frames of 10 kB as a guest that obeys credit would, until it may send no more; answers how much it sent. */
function sendOnCredit(guest: Guest, session: Session, id: string) {
  const chunk = frameBytes("chunk", id, { content: "x".repeat(10_000), done: false });
  let sent = 0;
  let limit: number = limits.creditWindow;
  const push = () => {
    while (sent < limit && sent < 20_000_000) {
      session.raw(chunk);
      sent += chunk.length;
    }
  };
  guest.on["credit"] = (_session, frame) => {
    if (frame.id !== id) return;
    expect(Number(frame.payload["limit"])).toBeGreaterThan(limit);
    limit = Number(frame.payload["limit"]);
    push();
  };
  push();
  return { sent: () => sent, limit: () => limit, size: chunk.length };
}

describe("credit", () => {
  it("lets a reader that stopped hold one window and one frame, while others on the link go on", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    const stalled = await connection.open("message", ask, forever);
    const { session } = await guest.next("message");
    const sender = sendOnCredit(guest, session, stalled.id);
    guest.on["message"] = echo;
    for (let i = 0; i < 5; i++)
      expect(textOf(await readAll(await connection.open("message", ask, forever)))).toBe("hi");
    expect(sender.sent()).toBeLessThan(limits.creditWindow + sender.size);
    expect(sender.limit()).toBe(limits.creditWindow);
  });

  it("is granted as the reader reads, never further than a window ahead of it", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    const exchange = await connection.open("message", ask, forever);
    const sender = sendOnCredit(guest, (await guest.next("message")).session, exchange.id);
    let taken = 0;
    while (taken < 3_000_000) {
      const frames = await exchange.take();
      expect(sender.limit()).toBeLessThanOrEqual(taken + limits.creditWindow);
      for (const frame of frames ?? []) taken += frame.size;
    }
    expect(sender.sent()).toBeGreaterThan(3_000_000);
    exchange.detach(new LinkError("closed", "enough"));
  });

  it("that is overrun ends that exchange alone, after what came within it, and tells the guest to stop", async () => {
    const guest = await startGuest({ on: { message: "keep", detach: "keep" } });
    const connection = await connectTo(guest);
    const exchange = await connection.open("message", ask, forever);
    const other = await connection.open("message", ask, forever);
    const { session } = await guest.next("message");
    for (let i = 0; i < 5; i++) session.text(exchange.id, i + 1, "x".repeat(100_000));
    expect((await guest.next("detach")).frame.id).toBe(exchange.id);
    expect(await exchange.take()).toHaveLength(3);
    expect(await failureOf(exchange.take())).toMatchObject({
      code: "invalid_frame",
      message: "the agent sent more than its credit of 262144 bytes",
    });
    session.send("chunk", other.id, { content: "fine", done: true });
    expect(textOf(await readAll(other))).toBe("fine");
  });

  it("is not needed by an error without a sequence", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    const exchange = await connection.open("message", ask, forever);
    const { session } = await guest.next("message");
    for (let i = 0; i < 3; i++) session.text(exchange.id, i + 1, "x".repeat(100_000));
    session.send("error", exchange.id, { code: "busy", message: "" });
    expect((await readAll(exchange)).map(({ type }) => type)).toEqual(["chunk", "chunk", "chunk", "error"]);
  });

  it("is replaced by a buffer of 1 MiB with a guest of protocol 1; over it that exchange alone ends", async () => {
    const guest = await startGuest({ protocol: 1, on: { message: "keep" } });
    const connection = await connectTo(guest);
    const exchange = await connection.open("message", ask, forever);
    const other = await connection.open("message", ask, forever);
    const { session } = await guest.next("message");
    for (let i = 0; i < 12; i++)
      session.send("chunk", exchange.id, { content: "x".repeat(100_000), done: false });
    session.send("chunk", other.id, { content: "fine", done: true });
    expect(textOf(await readAll(other))).toBe("fine");
    expect(await exchange.take()).toHaveLength(10);
    expect(await failureOf(exchange.take())).toMatchObject({ code: "overrun" });
    expect((await guest.session(1)).received.map(({ type }) => type)).toEqual(["message", "message"]);
  });
});

describe("silence", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Takes until it fails, as a reader that hands every keepalive on; lets `ms` pass meanwhile. */
  async function readFor(exchange: Exchange, ms: number, tick: () => void = () => {}) {
    const seen = { keepalives: 0, frames: 0, failure: undefined as unknown };
    void (async () => {
      for (;;) {
        const batch = await exchange.take();
        if (batch?.length === 0) seen.keepalives++;
        seen.frames += batch?.length ?? 0;
      }
    })().catch((error: unknown) => {
      seen.failure = error;
    });
    for (let passed = 0; passed < ms && seen.failure === undefined; passed += 1_000) {
      tick();
      await settle(1);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    return seen;
  }

  const fake = () => vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });

  it("of a guest of protocol 1 gives keepalives, and ends the exchange after the message timeout", async () => {
    const guest = await startGuest({ protocol: 1, on: { message: "keep" } });
    fake();
    const connection = await connectTo(guest, { silenceMs: 40_000 });
    const exchange = await connection.open("message", ask, forever);
    const session = (await guest.next("message")).session;
    const result = await readFor(exchange, 60_000, () => session.heartbeat());
    expect(result).toMatchObject({
      keepalives: 2,
      failure: { code: "timeout", message: "the agent sent nothing for 40 s" },
    });
  });

  it("bounds no healthy stream: only the time between two frames counts", async () => {
    const guest = await startGuest({ protocol: 1, on: { message: "keep" } });
    fake();
    const connection = await connectTo(guest, { silenceMs: 10_000 });
    const exchange = await connection.open("message", ask, forever);
    const session = (await guest.next("message")).session;
    let tick = 0;
    const result = await readFor(exchange, 40_000, () => {
      session.heartbeat();
      if (tick++ % 8 === 0) session.send("chunk", exchange.id, { content: "x", done: false });
    });
    expect(result).toEqual({ keepalives: 0, frames: 5, failure: undefined });
  });

  it("of a guest of protocol 2 is borne for as long as it may be silent between two progress frames", async () => {
    const guest = await startGuest({ on: { message: "keep" } });
    fake();
    const connection = await connectTo(guest, { silenceMs: 5_000 });
    const exchange = await connection.open("message", ask, forever);
    const session = (await guest.next("message")).session;
    let tick = 0;
    const healthy = await readFor(exchange, 40_000, () => {
      session.heartbeat();
      if (tick++ % 15 === 0) session.send("progress", exchange.id, {});
    });
    expect(healthy.failure).toBeUndefined();
  });

  it("of a guest of protocol 2 that breaks its promise of progress ends the exchange as well", async () => {
    const guest = await startGuest({ on: { message: "keep", detach: "keep" } });
    fake();
    const connection = await connectTo(guest, { silenceMs: 5_000 });
    const exchange = await connection.open("message", ask, forever);
    const session = (await guest.next("message")).session;
    const result = await readFor(exchange, 60_000, () => session.heartbeat());
    expect(result.failure).toMatchObject({ code: "timeout", message: "the agent sent nothing for 45 s" });
    expect((await guest.next("detach")).frame.id).toBe(exchange.id);
  });

  it("of the guest does not count while the reader is busy with what it has", async () => {
    const guest = await startGuest({ protocol: 1, on: { message: "keep" } });
    fake();
    const connection = await connectTo(guest, { silenceMs: 10_000 });
    const exchange = await connection.open("message", ask, forever);
    const session = (await guest.next("message")).session;
    session.send("chunk", exchange.id, { content: "x", done: false });
    expect(await exchange.take()).toHaveLength(1);
    for (let i = 0; i < 25; i++) {
      session.heartbeat();
      await settle(1);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    const next = exchange.take();
    await vi.advanceTimersByTimeAsync(1_000);
    session.send("chunk", exchange.id, { content: "y", done: true });
    expect(await next).toHaveLength(1);
  });
});

it("counts what it drops only if nobody waits for it", async () => {
  const guest = await startGuest({ on: { message: "keep" } });
  const connection = await connectTo(guest);
  const session = await guest.session(1);
  session.send("pong", "late", {});
  session.send("chunk", "unknown", { content: "", done: true });
  await until("the frame is dropped", () => connection.dropped > 0);
  expect(connection.dropped).toBe(1);
});
