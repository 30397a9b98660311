import { describe, expect, it } from "vitest";
import { guests } from "../../../../protocol/link/host/guest.ts";
import { DrivenLink, frameOf } from "./driven-link.ts";

const first = frameOf("heartbeat", "", { status: "ready", protocol: 2 });
const second = frameOf("heartbeat", "", { status: "running", protocol: 2, boot_id: "b", config_revision: 7 });

describe("the host's hello", () => {
  it("answers a guest of protocol 2 with the token as it is now, and is over with its second heartbeat", () => {
    let token = "old";
    const driven = new DrivenLink({
      get token() {
        return token;
      },
    });
    token = "new";
    driven.link.frame(first, 1);
    expect(driven.sent).toEqual([{ type: "hello", id: "", payload: { token: "new", protocol: 2 } }]);
    expect(driven).toMatchObject({
      ups: 0,
      link: { guest: undefined, bootId: "", heartbeat: undefined, heartbeatAt: 0 },
    });
    driven.link.frame(second, 2);
    expect(driven).toMatchObject({ ups: 1, heartbeats: 0, closedBy: undefined });
    expect(driven.link.guest).toBe(guests[2]);
    expect(driven.link).toMatchObject({ bootId: "b", heartbeatAt: 2, heartbeat: { configRevision: 7 } });
    expect(driven.sent).toHaveLength(1);
  });

  it("is over with the first heartbeat of a guest of protocol 1, which is told nothing", () => {
    for (const payload of [{ status: "ready" }, { status: "ready", protocol: 1 }]) {
      const driven = new DrivenLink({ token: "s3cret" });
      driven.link.frame(frameOf("heartbeat", "", payload), 1);
      expect(driven).toMatchObject({ ups: 1, sent: [], closedBy: undefined });
      expect(driven.link.guest).toBe(guests[1]);
    }
  });

  it("goes on with a guest that speaks a later protocol as with one of protocol 2", () => {
    const driven = new DrivenLink();
    driven.link.frame(frameOf("heartbeat", "", { status: "ready", protocol: 3 }), 1);
    driven.link.frame(frameOf("heartbeat", "", { status: "ready", protocol: 3, boot_id: "b" }), 1);
    expect(driven.link.guest).toBe(guests[2]);
  });

  it("has a guest that named protocol 2 keep to it", () => {
    const driven = new DrivenLink();
    driven.link.frame(first, 1);
    driven.link.frame(frameOf("heartbeat", "", { status: "ready" }), 2);
    expect(driven).toMatchObject({
      ups: 0,
      closedBy: {
        code: "invalid_frame",
        message: "the guest began with protocol 2 and went on with protocol 1",
      },
    });
  });

  it.each([
    ["no boot", { boot_id: "" }, "invalid_frame", "the guest's heartbeat after hello names no boot_id"],
    ["another agent", { boot_id: "b", agent_id: "c" }, "refused", 'the guest says it is agent "c"'],
    [
      "what is no id",
      { boot_id: "b", agent_id: "a b" },
      "refused",
      "the guest says it is agent of another name",
    ],
  ])("turns down a guest that names %s", (_what, payload, code, message) => {
    const driven = new DrivenLink();
    driven.link.frame(first, 1);
    driven.link.frame(frameOf("heartbeat", "", { protocol: 2, ...payload }), 2);
    expect(driven).toMatchObject({ ups: 0, closedBy: { code, message } });
  });

  it("takes a guest that names the agent it is to be", () => {
    const driven = new DrivenLink();
    driven.link.frame(first, 1);
    driven.link.frame(frameOf("heartbeat", "", { protocol: 2, boot_id: "b", agent_id: "a" }), 2);
    expect(driven.ups).toBe(1);
  });

  it.each(["chunk", "opened", "pong", "hello", "made-up"])(
    "takes no %s frame in place of a heartbeat",
    (type) => {
      const driven = new DrivenLink();
      driven.link.frame(frameOf(type, "x"), 1);
      const name = type === "made-up" ? "unknown" : type;
      expect(driven.closedBy).toMatchObject({
        code: "invalid_frame",
        message: `the guest began with a ${name} frame, not with a heartbeat`,
      });
    },
  );

  it("tells a refusal by its code alone", () => {
    const driven = new DrivenLink();
    driven.link.frame(first, 1);
    driven.link.frame(frameOf("error", "", { code: "hello_refused", message: "the user's words" }), 2);
    expect(driven.closedBy).toMatchObject({
      code: "refused",
      message:
        "the guest refused the hello (hello_refused): it has another token, or none was configured here",
    });
  });

  it("has to be over in time", () => {
    const driven = new DrivenLink({}, 1_000);
    expect(driven.link.nextWake()).toBe(6_000);
    driven.link.tick(5_999);
    expect(driven.closedBy).toBeUndefined();
    driven.link.tick(6_000);
    expect(driven.closedBy).toMatchObject({
      code: "timeout",
      message: "the guest did not finish its hello in time",
    });
    expect(driven.link.nextWake()).toBeUndefined();
  });

  it("hears nothing more of a guest that was turned down", () => {
    const driven = new DrivenLink();
    driven.link.frame(frameOf("chunk", "x"), 1);
    driven.link.frame(first, 2);
    driven.link.frame(second, 2);
    driven.link.tick(9_000);
    driven.link.dropped({ type: "heartbeat", id: "" }, 10_000, 3);
    expect(driven).toMatchObject({ ups: 0, sent: [], closedBy: { code: "invalid_frame" } });
  });

  it("lets no exchange be opened before it is over", () => {
    const driven = new DrivenLink();
    expect(() => driven.open("x", 1)).toThrow("the link to the agent was lost");
    expect(driven.link).toMatchObject({ exchanges: 0, lateExchanges: 0 });
  });

  it("takes small frames only, all of which are looked at", () => {
    const { link } = new DrivenLink();
    expect(link.mostBytes(0)).toBe(64 * 1024);
    expect(link.wants({ type: "made-up", id: "" }, 60_000)).toBe(true);
  });
});
