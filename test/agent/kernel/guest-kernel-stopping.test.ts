import { describe, expect, it } from "vitest";
import { Machine } from "./machine.ts";
import { quiet, running } from "./running.ts";

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

describe("the next wake-up of a guest", () => {
  it("is when it was told to stop and its time is up, and never after that", () => {
    const machine = new Machine({ bounds: { ...quiet, drainMs: 30_000, runMs: 1e9, modelSilenceMs: 1e9 } });
    const host = machine.greeted();
    host.message("a", { on_disconnect: "continue" });
    machine.record();
    machine.kernel.drain(machine.now);
    machine.kernel.drain(machine.now + 1);
    const until = machine.now + 30_000;
    for (let looks = 0; looks < 100 && machine.now < until; looks++) {
      expect(machine.kernel.nextWake()).toBeLessThanOrEqual(until);
      machine.now = machine.kernel.nextWake() ?? Infinity;
      machine.tick();
    }
    expect([machine.now, machine.drained]).toEqual([until, 1]);
    expect(machine.logged.filter(({ event }) => event === "draining")).toEqual([
      { event: "draining", fields: { in_flight: 1 } },
    ]);
  });

  it("is never, of one that was killed or has drained with nothing to do", () => {
    const machine = new Machine({ bounds: quiet });
    machine.kernel.drain(machine.now);
    machine.tick();
    expect(machine.kernel.nextWake()).toBeUndefined();
    const killed = new Machine({ bounds: quiet });
    killed.kernel.abandon(killed.now);
    killed.tick();
    expect([killed.kernel.nextWake(), killed.drained, killed.kernel.draining]).toEqual([undefined, 0, true]);
  });
});

describe("a host of a guest that is told to stop", () => {
  it("hears of it at once", () => {
    const { machine, host } = running();
    machine.kernel.drain(machine.now);
    expect(host.got.findLast(({ type }) => type === "heartbeat")?.payload).toMatchObject({
      status: "draining",
    });
  });
});
