import { describe, expect, it } from "vitest";
import { FloodGuard, UnaskedTotal } from "../../../../protocol/link/host/flood.ts";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import { limits } from "../../../../protocol/wire/limits.ts";
import { type DrivenLink, frameOf, linkUp } from "./driven-link.ts";

const FLOODS = "the guest floods frames that nobody asked for";

function send(driven: DrivenLink, count: number, type: string, now: number, size = 20): void {
  for (let i = 1; i <= count; i++)
    driven.link.frame(frameOf(type, `${i}`, { status: "x", in_flight: i }, size), now);
}

describe("what nobody asked for", () => {
  it.each(["gossip", "pong", "ping"])("is borne up to 2,000 frames of type %s in a second", (type) => {
    const driven = linkUp(2);
    send(driven, limits.unaskedFrames, type, 100);
    expect(driven.closedBy).toBeUndefined();
    send(driven, 1, type, 100);
    expect(driven.closedBy).toMatchObject({ code: "invalid_frame", message: FLOODS });
  });

  it.each(["gossip", "pong", "ping"])("is borne up to 256 KiB of type %s in a second", (type) => {
    const driven = linkUp(2);
    send(driven, 4, type, 100, limits.unaskedBytes / 4);
    expect(driven.closedBy).toBeUndefined();
    send(driven, 1, type, 100, 1);
    expect(driven.closedBy?.message).toBe(FLOODS);
  });

  it("counts by the second, which begins with its first frame", () => {
    const driven = linkUp(2, {}, 5_000);
    send(driven, limits.unaskedFrames, "gossip", 5_500);
    send(driven, 1, "gossip", 6_500);
    expect(driven.closedBy).toBeUndefined();
    send(driven, limits.unaskedFrames - 1, "gossip", 7_499);
    expect(driven.closedBy).toBeUndefined();
    send(driven, 1, "gossip", 7_499);
    expect(driven.closedBy?.message).toBe(FLOODS);
  });

  it("and is dropped unparsed counts with its size", () => {
    const driven = linkUp(2);
    driven.link.dropped({ type: "gossip", id: "" }, limits.unaskedBytes, 1);
    expect(driven.closedBy).toBeUndefined();
    driven.link.dropped({ type: "chunk", id: "?" }, 1, 1);
    expect(driven.closedBy?.message).toBe(FLOODS);
  });
});

describe("pings", () => {
  it("are answered 50 times in a second, with their id", () => {
    const driven = linkUp(2);
    send(driven, 60, "ping", 1);
    expect(driven.sent).toHaveLength(limits.heartbeatsPerSecond);
    expect(driven.sent[49]).toEqual({ type: "pong", id: "50", payload: {} });
    expect(driven.link.droppedFrames).toBe(10);
    send(driven, 1, "ping", 1_001);
    expect(driven.sent).toHaveLength(51);
  });

  it("of more than 8 KiB are not answered", () => {
    const driven = linkUp(2);
    send(driven, 1, "ping", 1, limits.heartbeatBytes);
    send(driven, 1, "ping", 1, limits.heartbeatBytes + 1);
    expect(driven).toMatchObject({ sent: [{ type: "pong" }], link: { droppedFrames: 1 } });
  });
});

describe("heartbeats", () => {
  it("are read five times in a second at once; of those beyond the last is read at its end", () => {
    const driven = linkUp(2);
    send(driven, 20, "heartbeat", 500);
    expect(driven).toMatchObject({ heartbeats: 5, link: { heartbeat: { inFlight: 5 } } });
    driven.link.tick(900);
    expect(driven.heartbeats).toBe(5);
    driven.link.tick(1_500);
    expect(driven).toMatchObject({ heartbeats: 6, link: { heartbeat: { inFlight: 20 } } });
    driven.link.tick(2_500);
    expect(driven.heartbeats).toBe(6);
  });

  it("that are kept give way to one that is read at once", () => {
    const driven = linkUp(2);
    send(driven, 20, "heartbeat", 1_000);
    driven.link.frame(frameOf("heartbeat", "", { status: "x", in_flight: 99 }), 2_000);
    driven.link.tick(3_500);
    expect(driven).toMatchObject({ heartbeats: 6, link: { heartbeat: { inFlight: 99 } } });
  });

  it("and pings beyond 50 in a second end the link", () => {
    const driven = linkUp(2);
    send(driven, 40, "ping", 1);
    send(driven, 10, "heartbeat", 1);
    expect(driven.closedBy).toBeUndefined();
    send(driven, 1, "heartbeat", 1);
    expect(driven.closedBy).toMatchObject({ code: "invalid_frame", message: "the guest floods heartbeats" });
  });

  it("of more than 8 KiB end the link", () => {
    const driven = linkUp(2);
    send(driven, 1, "heartbeat", 1, limits.heartbeatBytes);
    expect(driven.closedBy).toBeUndefined();
    send(driven, 1, "heartbeat", 1, limits.heartbeatBytes + 1);
    expect(driven.closedBy?.message).toBe("the guest floods heartbeats");
  });

  it("count as unasked from the sixth in a second on", () => {
    const driven = linkUp(2);
    send(driven, 5, "heartbeat", 1, 8_000);
    send(driven, 32, "heartbeat", 1, 8_000);
    expect(driven.closedBy).toBeUndefined();
    send(driven, 1, "heartbeat", 1, 8_000);
    expect(driven.closedBy?.message).toBe(FLOODS);
  });
});

describe("guests that share the bound on all", () => {
  it("lose the one that sent the most bytes in the second, whoever crosses the bound", () => {
    const total = new UnaskedTotal();
    const links = Array.from({ length: 17 }, () => linkUp(2, {}, 0, total));
    const [worst, ...others] = links as [DrivenLink, ...DrivenLink[]];
    send(worst, 1, "gossip", 10, limits.unaskedBytes);
    const each = (limits.unaskedTotalBytes - limits.unaskedBytes) / 16;
    for (const driven of others) send(driven, 1, "gossip", 20, each);
    expect(links.filter(({ closedBy }) => closedBy !== undefined)).toEqual([]);
    send(others[3] as DrivenLink, 1, "gossip", 30, 1);
    expect(worst.closedBy?.message).toBe(FLOODS);
    expect(others.filter(({ closedBy }) => closedBy !== undefined)).toEqual([]);
    // What it sent counts no more.
    send(others[4] as DrivenLink, 1, "gossip", 40, 1);
    expect(others.filter(({ closedBy }) => closedBy !== undefined)).toEqual([]);
    expect(total.counted).toBe(16);
  });

  it("lose the one that sent the most frames as well", () => {
    const total = new UnaskedTotal();
    const links = Array.from({ length: 11 }, () => linkUp(2, {}, 0, total));
    const [worst, ...others] = links as [DrivenLink, ...DrivenLink[]];
    send(worst, limits.unaskedFrames, "gossip", 10);
    for (const driven of others) send(driven, 1_800, "gossip", 20);
    expect(worst.closedBy).toBeUndefined();
    send(others[0] as DrivenLink, 1, "gossip", 30);
    expect(worst.closedBy?.message).toBe(FLOODS);
  });

  it("are forgiven when the second is over, and forgotten when they are gone", () => {
    const total = new UnaskedTotal();
    const links = Array.from({ length: 16 }, () => linkUp(2, {}, 0, total));
    for (const driven of links) send(driven, 1, "gossip", 1_000, limits.unaskedBytes);
    for (const driven of links) send(driven, 1, "gossip", 2_000, limits.unaskedBytes);
    expect(links.filter(({ closedBy }) => closedBy !== undefined)).toEqual([]);
    for (const { link } of links) link.lost(new LinkError("interrupted", "gone"));
    expect(total.counted).toBe(0);
  });
});

describe("the total over all links", () => {
  const EACH = limits.unaskedTotalBytes / 32;

  /** Guards that share a total; `cut` names those that were cut off, in order. A guard that was cut off stays. */
  function sharing(count: number) {
    const total = new UnaskedTotal();
    const cut: number[] = [];
    const guards = Array.from(
      { length: count },
      (_, index) => new FloodGuard(total, { cutOff: () => void cut.push(index) }),
    );
    const give = (index: number, bytes: number, now = 0) => guards[index]?.dropped(bytes, now);
    const weigh = () => guards.map(({ weight }) => weight);
    return { total, guards, cut, give, weigh };
  }

  it("weighs a link by its part of the bound on bytes or on frames, whichever is more", () => {
    const { guards, give, weigh } = sharing(2);
    give(0, EACH);
    for (let i = 0; i < limits.unaskedFrames; i++) give(1, 0);
    expect(weigh()).toEqual([1 / 32, limits.unaskedFrames / limits.unaskedTotalFrames]);
    expect(guards.map(({ sharedFrames, sharedBytes }) => [sharedFrames, sharedBytes])).toEqual([
      [1, EACH],
      [limits.unaskedFrames, 0],
    ]);
  });

  it("takes away from the total what the link that is cut off had sent, so that no other one follows", () => {
    const { total, cut, give, weigh } = sharing(33);
    give(0, EACH + 31);
    for (let i = 1; i <= 31; i++) give(i, EACH - 1);
    expect(cut).toEqual([]);
    give(32, 1);
    expect(cut).toEqual([0]);
    expect([weigh()[0], total.counted]).toEqual([0, 32]);
    give(32, EACH);
    expect(cut).toEqual([0]);
    give(32, 31);
    expect(cut).toEqual([0, 32]);
  });

  it("cuts off the first of those that sent as much", () => {
    const { cut, give } = sharing(33);
    for (let i = 0; i < 32; i++) give(i, EACH);
    give(32, 1);
    expect(cut).toEqual([0]);
  });

  it("counts frames as well as bytes", () => {
    const { cut, give } = sharing(limits.unaskedTotalFrames / 1_000 + 1);
    for (let link = 0; link < limits.unaskedTotalFrames / 1_000; link++)
      for (let i = 0; i < 1_000; i++) give(link, 0);
    expect(cut).toEqual([]);
    give(limits.unaskedTotalFrames / 1_000, 0);
    expect(cut).toEqual([0]);
    for (let i = 0; i < 999; i++) give(limits.unaskedTotalFrames / 1_000, 0);
    expect(cut).toEqual([0]);
    give(1, 0);
    expect(cut).toEqual([0, 1]);
  });

  it("begins anew after a second, and forgives every link what it has sent", () => {
    const { total, cut, give, weigh } = sharing(33);
    for (let i = 0; i < 32; i++) give(i, EACH, 5_000);
    expect(total.counted).toBe(32);
    give(32, 0, 5_999);
    expect(total.counted).toBe(33);
    give(32, 1, 6_000);
    expect(total.counted).toBe(1);
    expect(weigh().slice(0, 32)).toEqual(Array.from({ length: 32 }, () => 0));
    for (let i = 0; i < 31; i++) give(i, EACH, 6_500);
    expect(cut).toEqual([]);
  });

  it("counts what a link sent that is gone, until the second is over", () => {
    const { guards, cut, give } = sharing(33);
    for (let i = 0; i < 32; i++) give(i, EACH);
    guards[0]?.end();
    give(32, 1);
    expect(cut).toEqual([1]);
  });
});

describe("the second of one link", () => {
  it("is over a second after it began", () => {
    const guard = new FloodGuard(new UnaskedTotal(), { cutOff: () => {} });
    guard.dropped(1, 5_000);
    expect([guard.isOver(5_999), guard.isOver(6_000)]).toEqual([false, true]);
  });
});
