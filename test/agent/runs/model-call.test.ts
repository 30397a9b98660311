import { describe, expect, it } from "vitest";
import { EVENT_OVERHEAD } from "../../../agent/runs/journal.ts";
import { configOf, HostEnd, Machine } from "../kernel/machine.ts";

/** A run of which one reader with that credit reads, in a journal that is full with its second event. */
function setup(credit = 1e6): { machine: Machine; host: HostEnd } {
  const bounds = { journalRunBytes: 2 * EVENT_OVERHEAD, hostSilenceMs: 1e9 };
  const machine = new Machine({ bounds });
  const host = machine.greeted();
  host.send("config_update", "c", configOf(1));
  machine.kernel.configApplied(1, { kind: "applied" }, machine.now);
  host.message("a", { request_id: "r", credit, on_disconnect: "continue" });
  machine.record();
  return { machine, host };
}

const textsOf = (host: HostEnd, id = "a") => host.of(id).flatMap(({ payload }) => payload["content"] ?? []);

describe("the model's call of a run", () => {
  it("is paused when the journal is full, and what came in the same piece waits for room", () => {
    const { machine, host } = setup(1);
    machine.says("one", "two", "three", "four");
    expect(machine.call.paused).toBe(true);
    expect(textsOf(host)).toEqual([]);
    host.send("credit", "a", { limit: 1e6 });
    expect(machine.call.paused).toBe(false);
    expect(textsOf(host)).toEqual(["one", "two", "three", "four"]);
  });

  it("keeps what comes though it was paused, in order, the failure too", () => {
    const { machine, host } = setup(1);
    machine.says("one", "two", "three");
    machine.says("four");
    machine.kernel.modelFailed(machine.call.life, { code: "read_error", message: "broke" }, machine.now);
    expect(machine.call.ended).toBeUndefined();
    host.send("credit", "a", { limit: 1e6 });
    expect(textsOf(host)).toEqual(["one", "two", "three", "four"]);
    expect(host.of("a").at(-1)?.payload).toMatchObject({ code: "read_error", sequence: 5 });
    expect(machine.call.ended).toBe("dropped");
  });

  it("is not paused if nobody reads the run, and goes on when its last reader leaves", () => {
    const { machine, host } = setup(1);
    machine.says("one", "two", "three");
    host.send("detach", "a", {});
    expect(machine.call.paused).toBe(false);
    machine.says("a", "b", "c", "d", "e", "f");
    expect(machine.call.paused).toBe(false);
    machine.finishes();
    expect(machine.call.ended).toBe("answered");
  });

  it("goes on in a restored machine, whose readers are gone with their links", () => {
    const { machine } = setup(1);
    machine.says("one", "two", "three");
    const restored = new Machine({ restored: machine.kernel.snapshot(machine.now) }, machine.now);
    restored.calls.push({ ...machine.call });
    restored.pass(0);
    expect(restored.call.paused).toBe(false);
    restored.finishes();
    const host = restored.greeted();
    host.message("a", { request_id: "r" });
    expect(textsOf(host)).toEqual(["one", "two", "three", ""]);
  });

  it("splits a long text into chunks that fit, each of which may have to wait", () => {
    const { machine, host } = setup(1);
    const long = "x".repeat(150_000);
    machine.says(long);
    expect(machine.call.paused).toBe(true);
    host.send("credit", "a", { limit: 1e9 });
    const texts = textsOf(host) as string[];
    expect(texts.length).toBeGreaterThan(2);
    expect(texts.join("")).toBe(long);
    for (const { size } of host.of("a")) expect(size).toBeLessThanOrEqual(65_536);
  });

  it("counts for nothing after the run has ended", () => {
    const { machine, host } = setup();
    machine.finishes();
    machine.says("late");
    machine.kernel.modelFailed(machine.call.life, { code: "read_error", message: "late" }, machine.now);
    machine.kernel.modelTool(machine.call.life, "exec", machine.now);
    expect(host.types("a")).toEqual(["opened", "chunk"]);
    expect(machine.logged.map(({ event }) => event)).not.toContain("run_failed");
  });

  it("ends with what stands behind the end of the run in the same piece left out", () => {
    const { machine, host } = setup();
    const finish = { kind: "finish", finishReason: "stop", usage: undefined } as const;
    machine.kernel.modelEvents(machine.call.life, [finish, { kind: "text", text: "more" }], machine.now);
    expect(host.of("a")).toHaveLength(2);
  });

  it("is told of by progress while the model is silent, and dropped when it is for too long", () => {
    const bounds = { progressMs: 10, modelSilenceMs: 25, hostSilenceMs: 1e9 };
    const machine = new Machine({ bounds });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    machine.record();
    machine.pass(24);
    expect(host.types("a")).toEqual(["opened", "progress", "progress"]);
    machine.pass(1);
    expect(host.of("a").at(-1)?.payload).toMatchObject({ code: "model_timeout", sequence: 1 });
    expect(machine.call.ended).toBe("dropped");
  });
});

describe("the end of a run", () => {
  it("comes when it has lasted too long, though its model says something all the time", () => {
    const bounds = { runMs: 100, hostSilenceMs: 1e9 };
    const machine = new Machine({ bounds });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    machine.record();
    for (let i = 0; i < 9; i++) {
      machine.pass(11);
      machine.says("x");
    }
    expect(machine.call.ended).toBeUndefined();
    machine.pass(1);
    expect(host.of("a").at(-1)?.payload).toMatchObject({ code: "run_timeout", sequence: 10 });
  });

  it("comes with a tool call that does not fit into a frame", () => {
    const { machine, host } = setup(1e9);
    const fits = "x".repeat(4 * 1024 * 1024 - 1_200);
    for (const args of [fits, `${fits}${"x".repeat(300)}`]) {
      const call = { id: "1", name: "look", arguments: args };
      machine.kernel.modelEvents(machine.call.life, [{ kind: "tool_call", call }], machine.now);
    }
    expect(host.types("a")).toEqual(["opened", "tool_call", "error"]);
    expect(host.of("a").at(-1)?.payload).toMatchObject({ code: "too_large", sequence: 2 });
  });

  it("is the first one of those that come", () => {
    const { machine, host } = setup();
    host.send("cancel", "c1", { request_id: "r", reason: "" });
    host.send("cancel", "c2", { request_id: "r", reason: "x" });
    machine.finishes();
    const ends = host.of("a").slice(1);
    expect(ends.map(({ payload }) => payload["message"])).toEqual(["the run was cancelled"]);
    expect(["c1", "c2"].map((id) => host.of(id)[0]?.payload["found"])).toEqual([true, false]);
  });

  it("tells readers of a cancel no more than 200 characters of its reason", () => {
    const { host } = setup();
    host.send("cancel", "c", { request_id: "r", reason: "y".repeat(500) });
    expect(host.of("a").at(-1)?.payload["message"]).toBe("y".repeat(200));
  });
});

describe("a tool that the policy does not list", () => {
  function listed(tools: readonly string[]): { machine: Machine; host: HostEnd } {
    const machine = new Machine();
    const host = machine.greeted();
    host.send("config_update", "c", configOf(1, {}, tools));
    machine.kernel.configApplied(1, { kind: "applied" }, machine.now);
    return { machine, host };
  }
  const offered = [{ type: "function", function: { name: "look" } }];

  it("ends the run before the model is called if the client offers it", () => {
    const { machine, host } = listed(["read"]);
    host.message("a", { tools: offered });
    machine.record();
    expect(host.types("a")).toEqual(["opened", "tool_blocked"]);
    expect(machine.calls).toEqual([]);
  });

  it("ends the run when the model calls it, or OpenClaw runs it by itself", () => {
    for (const byItself of [true, false]) {
      const { machine, host } = listed(["read", "client:look"]);
      host.message("a", { tools: offered });
      machine.record();
      const { life, watchTools } = machine.call;
      expect(watchTools).toBe(true);
      const call = { id: "1", arguments: "{}" };
      const look = { kind: "tool_call", call: { ...call, name: "look" } } as const;
      machine.kernel.modelEvents(life, [look], machine.now);
      machine.kernel.modelTool(life, "read", machine.now);
      expect(host.types("a")).toEqual(["opened", "tool_call"]);
      if (byItself) machine.kernel.modelTool(life, "exec", machine.now);
      else
        machine.kernel.modelEvents(
          life,
          [{ kind: "tool_call", call: { ...call, name: "exec" } }],
          machine.now,
        );
      expect(host.of("a").at(-1)).toMatchObject({ type: "tool_blocked", payload: { tool_name: "exec" } });
      expect(machine.call.ended).toBe("dropped");
    }
  });

  it("is not asked for by a run that began when every tool was allowed", () => {
    const { machine } = setup();
    expect(machine.call.watchTools).toBe(false);
  });
});
