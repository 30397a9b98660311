import { describe, expect, it } from "vitest";
import { RUN_OVERHEAD } from "../../../agent/runs/journal.ts";
import { Machine } from "./machine.ts";
import { quiet, running } from "./running.ts";

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

describe("a run whose journal is full", () => {
  it("pauses its model until a reader has taken what there is", () => {
    const machine = new Machine({
      bounds: { ...quiet, journalRunBytes: 20_000, journalAgentBytes: 100_000 },
    });
    const host = machine.greeted();
    host.message("a", { credit: 1 });
    machine.record();
    for (let i = 0; i < 40 && !machine.call.paused; i++) machine.says("x".repeat(1_000));
    expect(machine.call.paused).toBe(true);
    host.send("credit", "a", { limit: 1e9 });
    expect(machine.call.paused).toBe(false);
  });
});

describe("hosts of a guest", () => {
  it("hear that a first run has begun and a last one has ended, and of no run between them", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    const statuses = () => {
      machine.pass(1_000);
      return host.got
        .splice(0)
        .filter(({ type }) => type === "heartbeat")
        .map(({ payload }) => payload["status"]);
    };
    statuses();
    host.message("a", {});
    machine.record();
    const first = statuses();
    host.message("b", {});
    machine.record();
    const second = statuses();
    machine.finishes();
    const third = statuses();
    host.send("detach", "a", {});
    machine.kernel.modelEvents(
      machine.calls[0]?.life ?? "",
      [{ kind: "finish", finishReason: "stop", usage: undefined }],
      machine.now,
    );
    expect([first, second, third, statuses()]).toEqual([["running"], [], [], ["ready"]]);
  });
});

describe("a full ledger", () => {
  it("is told in the log, with what it forgot", () => {
    const machine = new Machine({ bounds: { ...quiet, ledgerEntries: 2 } });
    const host = machine.greeted();
    for (const id of ["a", "b", "c", "d"]) {
      host.message(id, { request_id: id });
      machine.record();
    }
    expect(machine.logged.filter(({ event }) => event === "ledger_full").map(({ fields }) => fields)).toEqual(
      [{ entries: expect.any(Number), forgotten: expect.any(Number) }],
    );
    expect(machine.kernel.taken.size).toBeLessThanOrEqual(2);
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
