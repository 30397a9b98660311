import { describe, expect, it } from "vitest";
import { LateExchanges } from "../../../../protocol/link/host/late.ts";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import { limits } from "../../../../protocol/wire/limits.ts";
import { type DrivenLink, frameOf, linkUp } from "./driven-link.ts";

const left = new LinkError("closed", "the reader left");

function giveUp(protocol: 1 | 2, now = 0): DrivenLink {
  const driven = linkUp(protocol);
  driven.link.detach(driven.open("a", now).exchange, left, now);
  return driven;
}

describe("frames of an exchange that was given up", () => {
  it.each([
    [2, limits.lateBytes],
    [1, limits.lateUncreditedBytes],
  ] as const)("are no flood of a guest of protocol %i up to %i bytes and a frame", (protocol, bytes) => {
    const driven = giveUp(protocol);
    for (let sent = 0; sent < bytes; sent += 32 * 1024)
      driven.link.frame(frameOf("chunk", "a", {}, 32 * 1024), 1);
    const forgiven = driven.link.droppedFrames;
    expect(forgiven).toBe(bytes / (32 * 1024));
    for (let i = 0; i < 8; i++) driven.link.frame(frameOf("chunk", "a", {}, 32 * 1024), 1);
    expect(driven.closedBy).toBeUndefined();
    driven.link.frame(frameOf("chunk", "a", {}, 1), 1);
    expect(driven.closedBy?.message).toContain("floods");
  });

  it("are forgiven in one frame of any size", () => {
    const driven = giveUp(2);
    driven.link.frame(frameOf("chunk", "a", {}, 4_000_000), 1);
    expect(driven.closedBy).toBeUndefined();
  });

  it("are forgiven for 30 s", () => {
    const driven = giveUp(2, 1_000);
    driven.link.tick(1_000 + limits.frameMs - 1, true);
    expect(driven.link.lateExchanges).toBe(1);
    driven.link.tick(1_000 + limits.frameMs, true);
    expect(driven.link.lateExchanges).toBe(0);
    driven.link.frame(frameOf("chunk", "a", {}, 300_000), 40_000);
    expect(driven.closedBy?.message).toContain("floods");
  });
});

describe("LateExchanges", () => {
  it("forgets those whose time is over, and no other", () => {
    const late = new LateExchanges(100);
    late.add("a", 0);
    late.add("b", 10);
    late.tick(limits.frameMs + 9);
    expect([late.size, late.forgives("a", 1), late.forgives("b", 1)]).toEqual([1, false, true]);
    late.tick(limits.frameMs + 10);
    expect([late.size, late.forgives("b", 1)]).toEqual([0, false]);
  });

  it("remembers 1,024, of more the latest", () => {
    const late = new LateExchanges(100);
    for (let i = 0; i <= limits.messagesPerLink; i++) late.add(`${i}`, i);
    expect(late.size).toBe(limits.messagesPerLink);
    expect([late.forgives("0", 1), late.forgives("1", 1)]).toEqual([false, true]);
  });
});
