import { describe, expect, it } from "vitest";
import { HEARTBEAT_GAP_MS, HeartbeatPace } from "../../../../protocol/link/guest/heartbeat-pace.ts";

const ready = { status: "ready" };
const running = { status: "running" };

describe("heartbeats of a link", () => {
  it("are due at once before the first one, and then at the interval", () => {
    const pace = new HeartbeatPace(10_000);
    expect(pace.take(ready, true, 1_000)).toBe(true);
    expect(pace.dueAt).toBe(11_000);
  });

  it("are sent when the status changes, and not when nothing does", () => {
    const pace = new HeartbeatPace(10_000);
    pace.take(ready, true, 0);
    expect(pace.take(ready, false, 5_000)).toBe(false);
    expect(pace.dueAt).toBe(10_000);
    expect(pace.take(running, false, 5_000)).toBe(true);
    expect(pace.dueAt).toBe(15_000);
  });

  it("come no closer than the gap: news wait for its end, and are told then", () => {
    const pace = new HeartbeatPace(10_000);
    pace.take(ready, true, 0);
    expect(pace.take(running, false, HEARTBEAT_GAP_MS - 1)).toBe(false);
    expect(pace.dueAt).toBe(HEARTBEAT_GAP_MS);
    expect(pace.take(running, true, HEARTBEAT_GAP_MS)).toBe(true);
    expect(pace.dueAt).toBe(10_000 + HEARTBEAT_GAP_MS);
  });

  it("come no closer than the gap, however short the interval is", () => {
    const pace = new HeartbeatPace(10);
    pace.take(ready, true, 0);
    expect(pace.dueAt).toBe(HEARTBEAT_GAP_MS);
  });

  it("tell draining at once, but only when it is news", () => {
    const pace = new HeartbeatPace(10_000);
    pace.take(ready, true, 0);
    expect(pace.take({ status: "draining" }, false, 1)).toBe(true);
    expect(pace.take({ status: "draining" }, true, 2)).toBe(false);
  });

  it("tell the kind of the server at once when it becomes known, and not again", () => {
    const pace = new HeartbeatPace(10_000);
    pace.take(ready, true, 0);
    expect(pace.take({ ...ready, openclaw_kind: "plain" }, true, 1)).toBe(true);
    expect(pace.take({ ...ready, openclaw_kind: "plain" }, true, 2)).toBe(false);
  });
});
