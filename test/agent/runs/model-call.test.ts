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
