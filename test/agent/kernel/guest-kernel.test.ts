import { describe, expect, it } from "vitest";
import { RUN_OVERHEAD } from "../../../agent/runs/journal.ts";
import { configOf, HostEnd, Machine } from "./machine.ts";

const quiet = { hostSilenceMs: 1e9, heartbeatMs: 1e9 };

/** A guest with a configuration, and a run of which a reader has the first event. */
function running(bounds: object = {}): { machine: Machine; host: HostEnd } {
  const machine = new Machine({ bounds: { ...quiet, ...bounds } });
  const host = machine.greeted();
  host.send("config_update", "c", configOf(7));
  machine.kernel.configApplied(1, { kind: "applied" }, machine.now);
  host.send("context_update", "t", { context: "be kind", key: "k" });
  host.message("a", { request_id: "r", on_disconnect: "continue" });
  machine.record();
  machine.says("one");
  return { machine, host };
}

describe("a machine that is restored from a snapshot", () => {
  it("has its boot, configuration, context, ledger and runs, and goes on with them", () => {
    const { machine } = running();
    const restored = new Machine(
      { restored: machine.kernel.snapshot(machine.now), bounds: quiet },
      machine.now,
    );
    restored.calls.push({ ...machine.call });
    const host = restored.greeted();
    const { boot_id, config_revision, context_sha256, in_flight } = host.got.at(-1)?.payload ?? {};
    const before = machine.greeted().got.at(-1)?.payload;
    expect({ boot_id, config_revision, context_sha256, in_flight }).toEqual({
      boot_id: before?.["boot_id"],
      config_revision: 7,
      context_sha256: before?.["context_sha256"],
      in_flight: 1,
    });
    host.message("b", { request_id: "r" });
    restored.says("two");
    restored.finishes();
    expect(host.of("b").map(({ payload }) => payload["content"] ?? payload["attached"])).toEqual([
      true,
      "one",
      "two",
      "",
    ]);
    host.message("c", { content: "other", request_id: "r" });
    expect(host.of("c")[0]?.payload).toMatchObject({ code: "request_id_reused" });
  });

  it("is a value of its own: what becomes of one does not touch the other", () => {
    const { machine, host } = running();
    const snapshot = machine.kernel.snapshot(machine.now);
    const forks = [1, 2].map(
      () => new Machine({ restored: structuredClone(snapshot), bounds: quiet }, machine.now),
    );
    machine.finishes();
    for (const [i, fork] of forks.entries()) {
      fork.calls.push({ ...machine.call, ended: undefined });
      fork.says(`fork ${i}`);
      const other = fork.greeted();
      other.message("b", { request_id: "r", after_sequence: 1 });
      expect(other.of("b").at(-1)?.payload).toMatchObject({ content: `fork ${i}`, sequence: 2 });
    }
    expect(host.types("a")).toEqual(["opened", "chunk", "chunk"]);
    expect(snapshot.runs[0]?.journal.events).toHaveLength(1);
  });

  it("has lost its readers: a run that is to be cancelled on disconnect is, a while later", () => {
    const { machine, host } = running({ orphanMs: 3_000 });
    host.message("b", { request_id: "r", on_disconnect: "cancel" });
    const restored = new Machine(
      { restored: machine.kernel.snapshot(machine.now), bounds: { ...quiet, orphanMs: 3_000 } },
      machine.now,
    );
    restored.calls.push({ ...machine.call });
    restored.pass(2_999);
    expect(restored.kernel.inFlight).toBe(1);
    restored.pass(1);
    expect([restored.kernel.inFlight, restored.call.ended]).toEqual([0, "dropped"]);
  });

  it("waits on for what was being written down", () => {
    const { machine, host } = running();
    host.message("b", { request_id: "s" });
    const restored = new Machine(
      { restored: machine.kernel.snapshot(machine.now), bounds: quiet },
      machine.now,
    );
    restored.kernel.recorded([...machine.recording.keys()][0] as string, true, restored.now);
    expect(restored.calls.map(({ request }) => request.systemTexts)).toEqual([["be kind"]]);
  });
});

describe("a request that is not written down in time", () => {
  it("is refused with internal, and what is written too late begins no run", () => {
    const machine = new Machine({ bounds: { ...quiet, recordMs: 10_000 } });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    machine.pass(9_999);
    expect(host.of("a")).toEqual([]);
    machine.pass(1);
    expect(host.of("a").map(({ payload }) => payload["code"])).toEqual(["internal"]);
    host.message("b", { request_id: "r" });
    expect(host.of("b")[0]?.payload).toMatchObject({ code: "run_trimmed" });
    machine.record();
    expect([machine.calls.length, machine.kernel.inFlight]).toEqual([0, 0]);
  });

  it("frees its journal once, if it is cancelled and dropped before", () => {
    const machine = new Machine({ bounds: { ...quiet, journalAgentBytes: 3 * RUN_OVERHEAD } });
    const host = machine.greeted();
    const begin = (id: string) => host.message(id, { request_id: id, on_disconnect: "cancel" });
    begin("a");
    host.send("detach", "a", {}); // it is over, and goes when room is needed
    for (const id of ["b", "c", "d"]) begin(id);
    machine.pass(60_000); // nothing was recorded
    for (const id of ["e", "f", "g", "h"]) begin(id);
    expect(host.of("h").map(({ payload }) => payload["code"])).toEqual(["busy"]);
  });

  it("may come again once the disk has said that it was not written", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    machine.record(false);
    host.message("b", { request_id: "r" });
    machine.record();
    expect(host.types("b")).toEqual(["opened"]);
  });

  it("is cancelled without a call of the model if a host says so meanwhile", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    host.send("cancel", "c", { request_id: "r", reason: "no need" });
    machine.record();
    expect(host.types("a")).toEqual(["opened", "error"]);
    expect(host.of("a").at(-1)?.payload).toMatchObject({
      code: "cancelled",
      message: "no need",
      sequence: 1,
    });
    expect(machine.calls).toEqual([]);
  });
});

describe("a guest that is told to stop", () => {
  it("has drained when its runs are over and read, and says so once", () => {
    const { machine, host } = running();
    host.message("slow", { request_id: "r", credit: 1 });
    machine.kernel.drain(machine.now);
    machine.kernel.drain(machine.now);
    host.message("new", {});
    expect(host.of("new")[0]?.payload).toMatchObject({ code: "draining" });
    machine.finishes();
    expect([machine.kernel.inFlight, machine.drained]).toEqual([0, 0]);
    host.send("credit", "slow", { limit: 1e6 });
    expect(machine.drained).toBe(1);
    machine.pass(60_000);
    expect(machine.drained).toBe(1);
  });

  it("has drained at once if nothing is under way, and if the last link goes", () => {
    const idle = new Machine();
    idle.kernel.drain(idle.now);
    expect(idle.drained).toBe(1);
    const { machine, host } = running();
    machine.finishes();
    host.message("slow", { request_id: "r", credit: 1 });
    machine.kernel.drain(machine.now);
    expect(machine.drained).toBe(0);
    host.cut();
    expect(machine.drained).toBe(1);
  });

  it("cancels what is left when its time is up, and tells those who read it", () => {
    const { machine, host } = running({ drainMs: 30_000 });
    machine.kernel.drain(machine.now);
    machine.pass(29_999);
    expect(machine.drained).toBe(0);
    machine.pass(1);
    expect(machine.drained).toBe(1);
    expect(host.of("a").at(-1)?.payload).toMatchObject({ code: "cancelled", message: "the agent stops" });
  });
});

describe("a guest whose process is killed", () => {
  it("drops its calls, and says nothing to anybody", () => {
    const { machine, host } = running();
    const before = host.got.length;
    host.cut();
    machine.kernel.abandon(machine.now);
    expect([machine.call.ended, host.got.length - before]).toEqual(["dropped", 0]);
  });
});

describe("a heartbeat", () => {
  it("tells of runs in flight and of the server beside the agent", () => {
    const { machine, host } = running();
    machine.pass(1_000);
    machine.kernel.openclawChanged(
      { state: "ready", kind: "openclaw", kindReason: "it says so" },
      machine.now,
    );
    expect(host.got.findLast(({ type }) => type === "heartbeat")?.payload).toMatchObject({
      status: "running",
      in_flight: 1,
      config_revision: 7,
      uptime_secs: 1,
      openclaw: "ready",
      openclaw_kind: "openclaw",
      openclaw_kind_reason: "it says so",
      agent_version: "1.2.3",
      remembers: "memory",
      lives: true,
    });
    expect(machine.configs.map(({ ticket }) => ticket)).toEqual([1, 2]);
  });
});
