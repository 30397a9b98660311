import { describe, expect, it } from "vitest";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import { limits } from "../../../../protocol/wire/limits.ts";
import { frameOf, linkUp } from "./driven-link.ts";

const gone = new LinkError("interrupted", "gone");
const left = new LinkError("closed", "the reader left");
const text = (id: string, content: string) => frameOf("chunk", id, { content, done: false });
const last = (id: string) => frameOf("chunk", id, { content: "", done: true });

describe("an exchange", () => {
  it("begins with its frame, and gets the frames of its id alone", () => {
    const driven = linkUp(2);
    const a = driven.open("a", 1);
    const b = driven.open("b", 1);
    expect(driven.sent).toEqual([
      { type: "message", id: "a", payload: { for: "a" } },
      { type: "message", id: "b", payload: { for: "b" } },
    ]);
    const frames = [text("a", "1"), text("b", "2"), text("a", "3")];
    for (const frame of [...frames, text("c", "4")]) driven.link.frame(frame, 2);
    expect(driven.link.take(a.exchange, 3)).toEqual([frames[0], frames[2]]);
    expect(driven.link.take(b.exchange, 3)).toEqual([frames[1]]);
    expect(driven.link).toMatchObject({ droppedFrames: 1, exchanges: 2 });
  });

  it.each([
    ["chunk", { content: "", done: true }],
    ["error", { code: "internal" }],
    ["tool_blocked", {}],
    ["config_ack", { applied: true }],
    ["cancel_ack", {}],
  ])("ends with its last frame, a %s", (type, payload) => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(frameOf(type, "a", payload), 2);
    expect(driven.link).toMatchObject({ exchanges: 0, lateExchanges: 0 });
    driven.link.frame(text("a", "late"), 3);
    expect(driven.link.droppedFrames).toBe(1);
    expect(driven.link.take(exchange, 4)).toHaveLength(1);
    expect(driven.link.take(exchange, 4)).toBeUndefined();
    expect(driven.link.take(exchange, 4)).toBeUndefined();
  });

  it.each([
    ["chunk", { content: "", done: false }],
    ["chunk", { content: "", done: "true" }],
    ["opened", {}],
    ["progress", {}],
    ["tool_call", {}],
  ])("goes on after a %s %j", (type, payload) => {
    const driven = linkUp(2);
    driven.open("a", 1);
    driven.link.frame(frameOf(type, "a", payload), 2);
    expect(driven.link).toMatchObject({ exchanges: 1, droppedFrames: 0 });
  });

  it.each([
    "heartbeat",
    "ping",
    "pong",
    "hello",
    "message",
    "credit",
    "detach",
    "cancel",
    "config_update",
    "new",
  ])("gets no %s, whatever its id", (type) => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(frameOf(type, "a", { status: "x" }), 2);
    expect(driven.link.take(exchange, 3)).toBe("wait");
  });

  it("is not opened while the queue towards the guest is full", () => {
    const driven = linkUp(2);
    driven.hasRoom = false;
    expect(driven.link.open("a", "message", {}, "message", { wake() {} }, 1)).toBeUndefined();
    expect(driven.link.exchanges).toBe(0);
  });

  it("wakes its reader once for each wait", () => {
    const driven = linkUp(2);
    const { exchange, reader } = driven.open("a", 1);
    driven.link.frame(text("a", "1"), 2);
    expect(reader.wakes).toBe(0);
    expect(driven.link.take(exchange, 2)).toHaveLength(1);
    expect(driven.link.take(exchange, 2)).toBe("wait");
    driven.link.frame(text("a", "2"), 3);
    driven.link.frame(last("a"), 3);
    expect(reader.wakes).toBe(1);
    expect(driven.link.take(exchange, 3)).toHaveLength(2);
    expect(driven.link.take(exchange, 3)).toBeUndefined();
    expect(reader.wakes).toBe(1);
  });
});

describe("messages at once", () => {
  it.each([
    [1, limits.runsInFlight],
    [2, limits.messagesPerLink],
  ] as const)("with a guest of protocol %i are at most %i, and requests go on", (protocol, most) => {
    const driven = linkUp(protocol);
    for (let i = 0; i < most; i++) driven.open(`${i}`, 1);
    expect(() => driven.open("more", 1)).toThrow(`${most} messages to the agent are under way`);
    driven.open("request", 1, "config_update");
    driven.link.frame(last("0"), 2);
    driven.link.frame(frameOf("config_ack", "request", { applied: true }), 2);
    driven.open("more", 3);
    expect(driven.link.exchanges).toBe(most);
  });
});

describe("frames of more than 64 KiB", () => {
  it("may begin while a message is read, and for 30 s after the last one was", () => {
    const driven = linkUp(2);
    expect(driven.link.mostBytes(0)).toBe(limits.smallFrameBytes);
    driven.open("a", 1);
    driven.open("b", 1);
    driven.link.frame(last("b"), 2);
    expect(driven.link.mostBytes(90_000)).toBe(limits.frameBytes);
    driven.link.frame(last("a"), 90_000);
    expect(driven.link.mostBytes(90_000 + limits.frameMs - 1)).toBe(limits.frameBytes);
    expect(driven.link.mostBytes(90_000 + limits.frameMs)).toBe(limits.smallFrameBytes);
  });

  it("may not be sent for a request alone", () => {
    const driven = linkUp(2);
    driven.open("a", 1, "config_update");
    expect(driven.link.mostBytes(2)).toBe(limits.smallFrameBytes);
    driven.link.frame(frameOf("config_ack", "a", {}), 3);
    expect(driven.link.mostBytes(4)).toBe(limits.smallFrameBytes);
  });
});

describe("a frame that is judged by its envelope", () => {
  it("is wanted if its exchange is under way", () => {
    const driven = linkUp(2);
    driven.open("a", 1);
    expect(driven.link.wants({ type: "chunk", id: "a" }, 4_000_000)).toBe(true);
    expect(driven.link.wants({ type: "chunk", id: "b" }, 600)).toBe(false);
    driven.link.frame(last("a"), 2);
    expect(driven.link.wants({ type: "chunk", id: "a" }, 600)).toBe(false);
  });

  it.each(["heartbeat", "ping"])("is wanted if it is a %s of at most 8 KiB", (type) => {
    const { link } = linkUp(2);
    expect(link.wants({ type, id: "" }, limits.heartbeatBytes)).toBe(true);
    expect(link.wants({ type, id: "" }, limits.heartbeatBytes + 1)).toBe(false);
  });

  it.each(["pong", "hello", "message", "gossip"])("is never wanted if it is a %s", (type) => {
    const driven = linkUp(2);
    driven.open("a", 1);
    expect(driven.link.wants({ type, id: "a" }, 600)).toBe(false);
  });

  it("and dropped counts as one that was parsed", () => {
    const driven = linkUp(2);
    driven.link.dropped({ type: "gossip", id: "" }, 600, 1);
    expect(driven.link.droppedFrames).toBe(1);
    driven.link.dropped({ type: "heartbeat", id: "" }, 9_000, 1);
    expect(driven.closedBy?.message).toBe("the guest floods heartbeats");
  });
});

describe("a reader that leaves", () => {
  it("drops what came, and has the guest told to stop", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(text("a", "1"), 2);
    driven.types();
    driven.link.detach(exchange, left, 3);
    expect(driven.sent).toEqual([{ type: "detach", id: "a", payload: {} }]);
    expect(exchange.held).toBe(0);
    expect(driven.failure(exchange, 4)).toBe(left);
    expect(driven.link).toMatchObject({ exchanges: 0, lateExchanges: 1 });
    driven.link.detach(exchange, gone, 5);
    expect(driven.sent).toHaveLength(1);
  });

  it("of a guest of protocol 1, or of a request, says nothing", () => {
    for (const [protocol, type] of [
      [1, "message"],
      [2, "config_update"],
    ] as const) {
      const driven = linkUp(protocol);
      const { exchange } = driven.open("a", 1, type);
      driven.types();
      driven.link.detach(exchange, left, 2);
      expect(driven).toMatchObject({ sent: [], link: { exchanges: 0, lateExchanges: 1 } });
    }
  });

  it("after the last frame drops what it had not read, without a word", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(last("a"), 2);
    driven.types();
    driven.link.detach(exchange, left, 3);
    expect(driven.sent).toEqual([]);
    expect(exchange.held).toBe(0);
    expect(driven.link.take(exchange, 4)).toBeUndefined();
    expect(driven.link.lateExchanges).toBe(0);
  });

  it("of the last message lets large frames that are on their way come for 30 s", () => {
    const driven = linkUp(2);
    driven.link.detach(driven.open("a", 1).exchange, left, 1_000);
    expect(driven.link.mostBytes(1_000 + limits.frameMs - 1)).toBe(limits.frameBytes);
    expect(driven.link.mostBytes(1_000 + limits.frameMs)).toBe(limits.smallFrameBytes);
  });
});

describe("the loss of the link", () => {
  it("means to an exchange whether the guest may have acted on it", () => {
    const driven = linkUp(2);
    const handed = driven.open("a", 1);
    driven.hands = false;
    const kept = driven.open("b", 1);
    driven.link.frame(text("a", "1"), 2);
    driven.link.lost(gone);
    expect(driven.link.take(handed.exchange, 3)).toHaveLength(1);
    expect(driven.failure(handed.exchange, 3)).toMatchObject({
      code: "interrupted",
      message: "the link to the agent was lost: gone",
      cause: gone,
    });
    expect(driven.failure(kept.exchange, 3)).toMatchObject({ code: "unreachable" });
    expect(driven).toMatchObject({ closedBy: undefined, link: { exchanges: 0, ended: gone } });
  });

  it("for what the guest did wrong is told as that", () => {
    for (const code of ["invalid_frame", "frame_too_large"] as const) {
      const driven = linkUp(2);
      const { exchange, reader } = driven.open("a", 1);
      driven.link.take(exchange, 1);
      const wrong = new LinkError(code, "wrong");
      driven.link.close(wrong);
      expect(reader.wakes).toBe(1);
      expect(driven.failure(exchange, 2)).toBe(wrong);
      expect(driven.closedBy).toBe(wrong);
    }
  });

  it("leaves an exchange that had ended as it was, and counts once", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(last("a"), 2);
    driven.link.lost(gone);
    driven.link.close(left);
    driven.link.lost(left);
    expect(driven.link.take(exchange, 3)).toHaveLength(1);
    expect(driven.link.take(exchange, 3)).toBeUndefined();
    expect(driven).toMatchObject({ closedBy: undefined, link: { ended: gone } });
  });

  it("lets nothing be opened, sent, read or kept any more", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    const other = driven.open("b", 1);
    driven.link.detach(other.exchange, left, 1);
    driven.types();
    driven.link.lost(gone);
    expect(() => driven.open("c", 2)).toThrow(expect.objectContaining({ code: "unreachable" }));
    driven.link.frame(frameOf("ping", "p"), 3);
    driven.link.frame(frameOf("heartbeat", "", { status: "x" }), 3);
    driven.link.tick(60_000);
    driven.link.detach(exchange, left, 3);
    expect(driven.failure(exchange, 4).code).toBe("interrupted");
    expect(driven).toMatchObject({ sent: [], heartbeats: 0, link: { exchanges: 0, lateExchanges: 0 } });
  });

  it("that comes of the very frame that was to be sent ends the exchange as well", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.onControl = () => driven.link.lost(gone);
    driven.link.frame(text("a", "x".repeat(200_000)), 2);
    expect(driven.link.take(exchange, 3)).toHaveLength(1);
    expect(driven.failure(exchange, 3).code).toBe("interrupted");
    expect(driven.types()).toContain("credit");
  });
});
