import { describe, expect, it } from "vitest";
import { configOf, HostEnd, Machine } from "./machine.ts";

const quiet = { hostSilenceMs: 1e9, heartbeatMs: 1e9 };

function greeted() {
  const machine = new Machine({ bounds: quiet });
  return { machine, host: machine.greeted() };
}

/** Code of the error that answers an exchange. */
const codeOf = (host: HostEnd, id: string) => host.of(id).at(-1)?.payload["code"];

describe("who may come in", () => {
  it("is everybody if the guest has no token, and one who tells it otherwise", () => {
    expect(new Machine().greeted().types("")).toEqual(["heartbeat", "heartbeat"]);
    for (const [token, gone] of [
      ["secret", false],
      ["", true],
    ] as const) {
      const host = new HostEnd(new Machine({ token: "secret" }));
      host.send("hello", "", { token, protocol: 2 });
      expect(host.gone !== undefined).toBe(gone);
    }
  });
});

describe("a message of a host", () => {
  it("that only attaches needs a request_id", () => {
    const { machine, host } = greeted();
    host.message("a", { role: "" });
    host.message("b", { after_sequence: 1 });
    host.message("c", { run_life: "l" });
    expect(["a", "b", "c"].map((id) => codeOf(host, id))).toEqual(Array(3).fill("invalid_message"));
    expect(machine.recording.size).toBe(0);
  });

  it("that only attaches begins no run: the one of its request is unknown", () => {
    const { machine, host } = greeted();
    host.message("a", { role: "", request_id: "r" });
    host.message("b", { after_sequence: 1, request_id: "r" });
    host.message("c", { run_life: "l", request_id: "r" });
    expect(["a", "b", "c"].map((id) => codeOf(host, id))).toEqual(Array(3).fill("run_unknown"));
    expect(machine.recording.size).toBe(0);
  });

  it("without a request_id begins a run of a name that nobody gave", () => {
    const { machine, host } = greeted();
    host.message("a", {});
    host.message("b", {});
    machine.record();
    expect([host.types("a"), host.types("b"), machine.calls.length]).toEqual([["opened"], ["opened"], 2]);
    expect(host.of("a")[0]?.payload).toMatchObject({ attached: false, next_sequence: 1, boot_id: "boot" });
  });

  it("of a request that runs attaches to its run, on any link", () => {
    const { machine, host } = greeted();
    host.message("a", { request_id: "r" });
    machine.record();
    const other = machine.greeted();
    other.message("b", { request_id: "r" });
    expect(other.of("b")[0]?.payload).toMatchObject({ attached: true, next_sequence: 1 });
    expect(machine.calls).toHaveLength(1);
  });

  it("of a request that an earlier boot took is not run again", () => {
    const before = greeted();
    before.host.message("a", { request_id: "r" });
    const restarted = new Machine({ bounds: quiet, taken: [...before.machine.recording.values()] });
    const host = restarted.greeted();
    host.message("a", { request_id: "r" });
    host.message("b", { request_id: "r", content: "another" });
    host.message("c", { request_id: "other" });
    restarted.record();
    expect([codeOf(host, "a"), codeOf(host, "b")]).toEqual(["run_lost", "request_id_reused"]);
    expect([host.types("c"), restarted.calls.length]).toEqual([["opened"], 1]);
  });
});

describe("a cancel of a host", () => {
  it("ends the run in flight of that request, and says whether there was one", () => {
    const { machine, host } = greeted();
    host.message("a", { request_id: "r" });
    machine.record();
    host.send("cancel", "x", { request_id: "other" });
    host.send("cancel", "y", { request_id: "r", reason: "enough" });
    host.send("cancel", "z", { request_id: "r" });
    expect(["x", "y", "z"].map((id) => host.of(id)[0]?.payload)).toEqual([
      { found: false },
      { found: true },
      { found: false },
    ]);
    expect(host.of("a").at(-1)?.payload).toMatchObject({ code: "cancelled", message: "enough" });
    expect(machine.call.ended).toBe("dropped");
  });
});

describe("the links of a guest", () => {
  it("are told how the guest is, each once for a change", () => {
    const { machine, host } = greeted();
    const other = machine.greeted();
    machine.pass(1_000);
    const before = [host.got.length, other.got.length];
    other.message("a", {});
    machine.pass(1_000);
    const statusOf = ({ got }: HostEnd, from = 0) =>
      got
        .slice(from)
        .filter(({ type }) => type === "heartbeat")
        .map(({ payload }) => payload["status"]);
    expect([statusOf(host, before[0]), statusOf(other, before[1])]).toEqual([["running"], ["running"]]);
  });

  it("are logged when they are greeted, and when they end if they were or if frames were dropped", () => {
    const machine = new Machine({ bounds: quiet });
    const events = () => machine.logged.splice(0).map(({ event }) => event);
    new HostEnd(machine).cut();
    expect(events()).toEqual([]);
    const rude = new HostEnd(machine);
    rude.message("a", {});
    rude.cut();
    expect(events()).toEqual(["link_closed"]);
    machine.greeted().cut();
    expect(events()).toEqual(["link_open", "link_closed"]);
  });

  it("are looked at when one of them is due, and no more once they are gone", () => {
    const machine = new Machine({ bounds: { ...quiet, heartbeatMs: 10_000, helloMs: 5_000 } }, 0);
    const host = machine.greeted();
    machine.tick();
    expect(machine.kernel.nextWake()).toBe(10_000);
    const late = new HostEnd(machine);
    expect(machine.kernel.nextWake()).toBe(5_000);
    machine.pass(5_000);
    expect([late.gone?.code, host.gone]).toEqual(["refused", undefined]);
    host.cut();
    machine.pass(20_000);
    expect(machine.kernel.nextWake()).toBeUndefined();
  });
});

describe("what hosts push", () => {
  it("a configuration is in force once OpenClaw has it, and every host hears of it", () => {
    const { machine, host } = greeted();
    const other = machine.greeted();
    machine.pass(1_000);
    host.send("config_update", "c", configOf(7));
    expect(host.types("c")).toEqual([]);
    machine.kernel.configApplied(1, { kind: "applied" }, machine.now);
    expect(host.of("c")[0]?.payload).toMatchObject({ applied: true });
    for (const { got } of [host, other])
      expect(got.findLast(({ type }) => type === "heartbeat")?.payload).toMatchObject({ config_revision: 7 });
    expect(machine.logged.at(-1)).toEqual({ event: "config_applied", fields: { revision: 7 } });
  });

  it("a context entry is answered with the digest in force, and with a reason if it is refused", () => {
    const { machine, host } = greeted();
    host.send("context_update", "a", { key: "k", context: "x" });
    host.send("context_update", "b", { key: "k".repeat(1_000), context: "y" });
    const { context_sha256: digest } = machine.kernel.heartbeat(machine.now);
    expect(host.of("a")[0]?.payload).toEqual({ applied: true, context_sha256: digest });
    expect(host.of("b")[0]?.payload).toEqual({
      applied: false,
      context_sha256: digest,
      reason: expect.stringContaining("a key has at most"),
    });
  });
});

it("the log says of a link that is gone why it ended, and how much of it was dropped", () => {
  const { machine, host } = greeted();
  host.send("telemetry", "t", {});
  host.cut();
  expect(machine.logged.at(-1)).toEqual({
    event: "link_closed",
    fields: { code: "interrupted", reason: "cut", dropped: 1 },
  });
});
