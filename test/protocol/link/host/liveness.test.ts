import { describe, expect, it } from "vitest";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import { limits } from "../../../../protocol/wire/limits.ts";
import { frameOf, linkUp } from "./driven-link.ts";

/** Ticks once a second up to a time. */
function pass(
  driven: ReturnType<typeof linkUp>,
  from: number,
  to: number,
  each: (now: number) => void = () => {},
) {
  for (let now = from; now <= to; now += 1_000) {
    each(now);
    driven.link.tick(now);
  }
}

describe("a silent guest", () => {
  it("is asked once whether it lives, after more than 5 s", () => {
    const driven = linkUp(2);
    pass(driven, 1_000, 5_000);
    expect(driven.sent).toEqual([]);
    driven.link.tick(5_001);
    driven.link.tick(5_500);
    expect(driven.sent).toEqual([{ type: "ping", id: "ping-1", payload: {} }]);
  });

  it("is lost if it does not answer for longer than the ping timeout", () => {
    const driven = linkUp(2, { pingMs: 2_000 });
    driven.link.tick(3_000);
    driven.link.tick(6_000);
    driven.link.tick(8_000);
    expect(driven.closedBy).toBeUndefined();
    driven.link.tick(8_001);
    expect(driven.closedBy).toMatchObject({ code: "interrupted", message: "the guest answers no ping" });
  });

  it.each<[string, (driven: ReturnType<typeof linkUp>, now: number) => void]>([
    ["a frame", ({ link }, now) => link.frame(frameOf("pong", "ping-1"), now)],
    ["a part of one", ({ link }, now) => link.heard(now)],
  ])("lives if %s comes, and is asked again only after another 5 s", (_what, answer) => {
    const driven = linkUp(2, { pingMs: 2_000 });
    driven.link.tick(3_000);
    driven.link.tick(6_000);
    answer(driven, 6_000); // at the very time of the ping
    pass(driven, 7_000, 11_000);
    expect(driven.types()).toEqual(["ping"]);
    driven.link.tick(12_000);
    expect(driven.types()).toEqual(["ping"]);
    expect(driven.closedBy).toBeUndefined();
  });

  it("is neither asked nor lost while its bytes wait here for their turn", () => {
    const driven = linkUp(2, { pingMs: 2_000 });
    for (let now = 1_000; now <= 60_000; now += 1_000) driven.link.tick(now, true);
    expect(driven).toMatchObject({ sent: [], closedBy: undefined });
  });

  it("is not lost because this process stood still for more than 3 s", () => {
    const driven = linkUp(2, { pingMs: 2_000 });
    pass(driven, 1_000, 6_000);
    driven.link.tick(9_001);
    expect(driven.closedBy).toBeUndefined();
    driven.link.tick(10_000);
    expect(driven.closedBy?.message).toBe("the guest answers no ping");
  });

  it("is lost all the same after a pause of 3 s", () => {
    const driven = linkUp(2, { pingMs: 2_000 });
    pass(driven, 1_000, 6_000);
    driven.link.tick(9_000);
    expect(driven.closedBy?.message).toBe("the guest answers no ping");
  });
});

describe("heartbeats", () => {
  const heard = (driven: ReturnType<typeof linkUp>) => (now: number) => driven.link.heard(now);

  it("that stop for more than 30 s lose a guest of protocol 2, whatever else it sends", () => {
    const driven = linkUp(2);
    pass(driven, 1_000, 30_000, heard(driven));
    expect(driven.closedBy).toBeUndefined();
    pass(driven, 31_000, 31_000, heard(driven));
    expect(driven.closedBy).toMatchObject({
      code: "interrupted",
      message: "the guest's heartbeats have stopped",
    });
  });

  it("need not come from a guest of protocol 1, unless one came beside that of its hello", () => {
    const never = linkUp(1);
    pass(never, 1_000, 60_000, heard(never));
    expect(never.closedBy).toBeUndefined();
    const once = linkUp(1);
    once.link.frame(frameOf("heartbeat", "", { status: "running" }), 500);
    expect(once.link.heartbeatAt).toBe(500);
    pass(once, 1_000, 30_500, heard(once));
    expect(once.closedBy).toBeUndefined();
    once.link.heard(31_000);
    once.link.tick(31_000);
    expect(once.closedBy?.message).toBe("the guest's heartbeats have stopped");
  });

  it("are told of, and shown as the latest", () => {
    const driven = linkUp(2);
    driven.link.frame(frameOf("heartbeat", "", { status: "busy", in_flight: 3, boot_id: "boot-2" }), 700);
    expect(driven).toMatchObject({ heartbeats: 1, link: { heartbeatAt: 700, heartbeat: { inFlight: 3 } } });
    // A connection is to one boot.
    expect(driven.link.bootId).toBe("boot-1");
  });

  it("that are no heartbeats end the link", () => {
    const driven = linkUp(2);
    driven.link.frame(frameOf("heartbeat", "", { status: 7 }), 1);
    expect(driven).toMatchObject({ heartbeats: 0, closedBy: { code: "invalid_frame" } });
  });
});

describe("a link's clock", () => {
  it("is looked at once a second as long as the link is up", () => {
    const driven = linkUp(2, {}, 200);
    expect(driven.link.nextWake()).toBe(1_200);
    driven.link.tick(1_500);
    expect(driven.link.nextWake()).toBe(2_500);
    driven.link.lost(new LinkError("interrupted", "gone"));
    expect(driven.link.nextWake()).toBeUndefined();
  });

  it("may be looked at as often as one likes", () => {
    const driven = linkUp(2, { pingMs: limits.pingMs });
    for (let now = 0; now < 5_000; now += 7) driven.link.tick(now);
    expect(driven).toMatchObject({ sent: [], closedBy: undefined });
  });
});
