import { describe, expect, it } from "vitest";
import { afterLastReader } from "../../../agent/runs/on-disconnect.ts";
import { HostEnd, Machine } from "../kernel/machine.ts";

describe("a run whose last reader has left", () => {
  it.each([
    ["continue", "detached", "goes on"],
    ["continue", "lost", "goes on"],
    ["cancel", "detached", "cancel"],
    ["cancel", "lost", "wait"],
  ] as const)("with on_disconnect %s, by being %s: %s", (onDisconnect, how, then) => {
    expect(afterLastReader(onDisconnect, how)).toBe(then);
  });

  function running(onDisconnect?: string): { machine: Machine; host: HostEnd } {
    const machine = new Machine({ bounds: { orphanMs: 3_000, hostSilenceMs: 1e9 } });
    const host = machine.greeted();
    host.message("a", { request_id: "r", on_disconnect: onDisconnect });
    machine.record();
    return { machine, host };
  }

  it("is cancelled at once after a detach, and its model call dropped", () => {
    const { machine, host } = running("cancel");
    host.send("detach", "a", {});
    expect(machine.call.ended).toBe("dropped");
  });

  it("is cancelled if no message ever said what is to become of it", () => {
    const { machine, host } = running();
    host.send("detach", "a", {});
    expect(machine.call.ended).toBe("dropped");
  });

  it("is cancelled a while after its link was lost, and not a moment earlier", () => {
    const { machine, host } = running("cancel");
    host.cut();
    machine.pass(2_999);
    expect(machine.call.ended).toBeUndefined();
    machine.pass(1);
    expect(machine.call.ended).toBe("dropped");
  });

  it("goes on if a reader comes meanwhile, for as long as that one stays", () => {
    const { machine, host } = running("cancel");
    host.cut();
    machine.pass(2_000);
    machine.greeted().message("b", { request_id: "r" });
    machine.pass(10_000);
    expect(machine.call.ended).toBeUndefined();
  });

  it("follows the latest message that said so, an attaching one too", () => {
    const { machine, host } = running("cancel");
    host.message("b", { request_id: "r", on_disconnect: "continue" });
    for (const id of ["a", "b"]) host.send("detach", id, {});
    machine.pass(60_000);
    expect(machine.call.ended).toBeUndefined();
  });
});
