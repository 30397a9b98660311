import { describe, expect, it } from "vitest";
import { GONE, Scene } from "./scene.ts";

describe("the hello of a host", () => {
  it("is answered with a whole heartbeat, and the guest hears that a host is in", () => {
    const scene = new Scene(false);
    scene.send("hello", "", { token: "right", protocol: 2 }, 7);
    expect(scene.controls).toEqual([
      { type: "heartbeat", id: "", payload: { status: "ready", uptime_secs: 7, boot_id: "boot" } },
    ]);
    expect(scene.calls).toEqual([["linkGreeted"], ["wakeAt", 10_007]]);
  });

  it("with a token that is no text is one without a token", () => {
    const scene = new Scene(false);
    scene.send("hello", "", { token: 7, protocol: 2 });
    expect(scene.finishes[0]?.message).toBe("the token is wrong");
  });

  it("is waited for until its time is over, with no other wake-up", () => {
    const scene = new Scene(false);
    expect(scene.link.nextWake()).toBe(5_000);
    scene.link.tick(4_999);
    expect(scene.finishes).toEqual([]);
    scene.link.tick(5_000);
    expect(scene.finishes.map(({ code, message }) => [code, message])).toEqual([
      ["refused", "no hello came in time"],
    ]);
    expect(scene.link.nextWake()).toBe(Infinity);
  });

  it("is owed before anything else: frames before it are dropped and counted", () => {
    const scene = new Scene(false);
    scene.message("a");
    scene.send("config_update", "b", {});
    expect(scene.calls).toEqual([]);
    expect(scene.dropped).toBe(2);
    expect(scene.closedLinks[0]).toEqual({ reason: GONE, greeted: false, dropped: 2 });
  });

  it("is owed before the guest tells how it is", () => {
    const scene = new Scene(false);
    scene.link.tell(true, 1);
    expect(scene.controls).toEqual([]);
  });
});

describe("heartbeats of a greeted link", () => {
  it("are sent when they are due", () => {
    const scene = new Scene();
    expect(scene.link.nextWake()).toBe(10_000);
    scene.link.tick(9_999);
    expect(scene.controls).toEqual([]);
    scene.link.tick(10_000);
    expect(scene.controls.map(({ type }) => type)).toEqual(["heartbeat"]);
    expect(scene.calls).toEqual([["wakeAt", 20_000]]);
  });

  it("tell of news between them, and of nothing that is not news", () => {
    const scene = new Scene();
    scene.link.tell(false, 1_000);
    expect(scene.controls).toEqual([]);
    scene.status = "running";
    scene.link.tell(false, 1_000);
    expect(scene.controls).toMatchObject([{ type: "heartbeat", payload: { status: "running" } }]);
  });

  it("end with the link", () => {
    const scene = new Scene();
    scene.link.closed(GONE, 1);
    scene.link.tell(true, 2);
    scene.link.tick(20_000);
    scene.link.tick(100_000);
    expect([scene.controls, scene.closes]).toEqual([[], []]);
  });
});

describe("the silence of a host", () => {
  it("is asked about once at half of its bound, and ends the link at all of it", () => {
    const scene = new Scene();
    scene.link.tick(29_999);
    expect(scene.controlsOf("guest-1")).toEqual([]);
    scene.link.tick(30_000);
    scene.link.tick(31_000);
    expect(scene.controlsOf("guest-1")).toEqual(["ping"]);
    scene.link.tick(60_000);
    expect(scene.closes.map(({ code, message }) => [code, message])).toEqual([
      ["interrupted", "nothing was heard for 60 s"],
    ]);
    scene.link.tick(120_000);
    expect(scene.closes).toHaveLength(1);
    expect(scene.link.nextWake()).toBe(Infinity);
  });

  it("is numbered by its questions", () => {
    const scene = new Scene();
    scene.link.tick(30_000);
    scene.link.heard(30_001);
    scene.link.tick(60_001);
    expect([scene.controlsOf("guest-1"), scene.controlsOf("guest-2")]).toEqual([["ping"], ["ping"]]);
  });

  it("ends with each frame, a pong too, which is answered by nothing", () => {
    const scene = new Scene();
    scene.send("pong", "guest-1", {}, 59_000);
    scene.link.tick(60_000);
    expect(scene.closes).toEqual([]);
    expect(scene.dropped).toBe(0);
  });

  it("is not asked about before hello", () => {
    const scene = new Scene(false);
    scene.link.tick(4_999);
    scene.link.tick(30_000);
    expect(scene.controls.filter(({ type }) => type === "ping")).toEqual([]);
  });
});
