import { describe, expect, it } from "vitest";
import { Failure } from "../../../../protocol/link/guest/failure.ts";
import { GONE, Scene } from "./scene.ts";

describe("an exchange of a link", () => {
  it("is busy from its message to its end, of which the guest hears", () => {
    const scene = new Scene();
    expect(scene.link.busy).toBe(false);
    scene.message("a", { on_disconnect: "cancel" }, 3);
    expect(scene.link.busy).toBe(true);
    expect(scene.calls).toEqual([
      ["attachOrBegin", "a", 3],
      ["attach", "cancel", 3],
    ]);
    scene.send("detach", "a", {}, 4);
    expect(scene.link.busy).toBe(false);
    expect(scene.left).toEqual([[0, "detached", 4]]);
    expect(scene.calls.at(-1)).toEqual(["exchangeEnded", 4]);
    expect(scene.dropped).toBe(0);
  });

  it("is refused beyond the bound, and the run is not begun", () => {
    const scene = new Scene();
    for (const id of ["a", "b", "c"]) scene.message(id);
    scene.calls.length = 0;
    scene.message("d");
    expect(scene.controls.at(-1)).toMatchObject({ id: "d", payload: { code: "busy" } });
    expect(scene.calls).toEqual([]);
  });

  it("has one message: a second one under its id is dropped and counted", () => {
    const scene = new Scene();
    scene.message("a");
    scene.message("a");
    expect(scene.readers).toHaveLength(1);
    expect(scene.dropped).toBe(1);
  });

  it("goes on when credit comes; credit without a limit grants nothing", () => {
    const scene = new Scene();
    scene.events.push("{}");
    scene.message("a", { credit: 0 });
    scene.send("credit", "a", {});
    scene.send("credit", "a", { limit: null });
    expect(scene.offered).toEqual([]);
    scene.send("credit", "a", { limit: 1_000 }, 5);
    expect(scene.offered).toEqual(["a opened", "a chunk"]);
    expect(scene.calls.at(-1)).toEqual(["settle", 5]);
    expect(scene.dropped).toBe(0);
  });

  it("that is not there can be given no credit, nor be left: both are counted", () => {
    const scene = new Scene();
    scene.message("a");
    scene.send("credit", "other", { limit: 9 });
    scene.send("credit", "a", { limit: "9" });
    scene.send("detach", "other", {});
    expect(scene.dropped).toBe(3);
  });

  it("fails alone if the guest refuses its message", () => {
    const scene = new Scene();
    scene.thrown = new Failure("run_unknown", "no such run");
    scene.message("a");
    expect(scene.controls).toEqual([
      { type: "error", id: "a", payload: { code: "run_unknown", message: "no such run" } },
    ]);
    expect(scene.calls.filter(([name]) => name === "frameFailed")).toEqual([]);
    expect(scene.link.busy).toBe(false);
  });

  it("fails as `internal` at a fault of the guest, which the guest hears of and the host does not", () => {
    const scene = new Scene();
    scene.thrown = new TypeError("a secret");
    scene.message("a");
    expect(scene.controls).toEqual([
      { type: "error", id: "a", payload: { code: "internal", message: "the agent failed" } },
    ]);
    expect(scene.calls.at(-1)).toEqual(["frameFailed", "message", scene.thrown]);
  });

  it("is left as lost by every reader when the link is gone", () => {
    const scene = new Scene();
    scene.message("a");
    scene.message("b");
    scene.link.closed(GONE, 9);
    expect(scene.left).toEqual([
      [0, "lost", 9],
      [1, "lost", 9],
    ]);
    expect(scene.closedLinks).toEqual([{ reason: GONE, greeted: true, dropped: 0 }]);
    expect(scene.link.busy).toBe(false);
  });

  it("sends nothing after the link is gone: what was not sent is not taken", () => {
    const scene = new Scene();
    scene.message("a");
    const [reader] = scene.readers;
    scene.link.closed(GONE, 9);
    scene.offered.length = 0;
    expect(scene.link.offer(Buffer.from("0000{}"), reader as never)).toBe(false);
    scene.link.error("a", "busy", "late");
    expect([scene.offered, scene.controls]).toEqual([[], []]);
  });
});

describe("a link whose queue is full", () => {
  it("is not offered more before it has room", () => {
    const scene = new Scene();
    scene.space = 1;
    scene.message("a");
    scene.message("b");
    scene.space = Infinity;
    scene.message("c");
    expect(scene.offered).toEqual(["a opened"]);
    scene.link.room(5);
    expect(scene.offered).toEqual(["a opened", "b opened", "c opened"]);
    expect(scene.calls.filter(([name]) => name === "settle")).toHaveLength(2);
    scene.link.room(6);
    expect(scene.calls.filter(([name]) => name === "settle")).toHaveLength(2);
  });

  it("lets go of a reader that leaves while it waits", () => {
    const scene = new Scene();
    scene.space = 0;
    scene.message("a");
    scene.send("detach", "a", {});
    scene.space = Infinity;
    scene.link.room(5);
    expect(scene.offered).toEqual([]);
    expect(scene.calls.filter(([name]) => name === "settle")).toEqual([]);
  });
});

describe("what a host asks of the guest itself", () => {
  it("a configuration is answered when it is in force, unless the link is gone by then", () => {
    const scene = new Scene();
    scene.send("config_update", "a", { revision: 1 });
    scene.send("config_update", "b", { revision: 2 });
    expect(scene.controls).toEqual([]);
    scene.waiters[0]?.answer({ applied: true });
    expect(scene.controls).toEqual([{ type: "config_ack", id: "a", payload: { applied: true } }]);
    scene.link.closed(GONE, 1);
    scene.waiters[1]?.answer({ applied: true });
    expect(scene.controls).toHaveLength(1);
    expect(scene.calls[0]).toEqual(["pushConfig", { revision: 1 }]);
  });

  it("a context entry is answered at once", () => {
    const scene = new Scene();
    scene.send("context_update", "a", { key: "k" });
    expect(scene.controls).toEqual([{ type: "config_ack", id: "a", payload: { applied: true } }]);
    expect(scene.calls).toEqual([["pushContext", { key: "k" }]]);
  });

  it.each([
    [{}, "the run was cancelled"],
    [{ reason: "" }, "the run was cancelled"],
    [{ reason: null }, "the run was cancelled"],
    [{ reason: "enough" }, "enough"],
    [{ reason: "x".repeat(201) }, "x".repeat(200)],
  ])("a cancel is told to the readers, with %j", (more, told) => {
    const scene = new Scene();
    scene.found = Object.keys(more).length > 0;
    scene.send("cancel", "a", { request_id: "r", ...more }, 4);
    expect(scene.calls).toEqual([["cancelRun", "r", told, 4]]);
    expect(scene.controls).toEqual([{ type: "cancel_ack", id: "a", payload: { found: scene.found } }]);
  });

  it.each([{}, { request_id: "" }, { request_id: 7 }, { request_id: "r", reason: 7 }])(
    "a cancel of %j is refused",
    (payload) => {
      const scene = new Scene();
      scene.send("cancel", "a", payload);
      expect(scene.controls).toMatchObject([{ id: "a", payload: { code: "invalid_message" } }]);
      expect(scene.calls).toEqual([]);
    },
  );

  it("a frame without an id, or of no known type, is dropped and counted", () => {
    const scene = new Scene();
    scene.send("message", "", { role: "user", content: "x" });
    scene.send("telemetry", "t", {});
    expect(scene.calls).toEqual([]);
    expect(scene.dropped).toBe(2);
  });
});
