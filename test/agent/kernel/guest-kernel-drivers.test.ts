import { describe, expect, it } from "vitest";
import { configOf, Machine } from "./machine.ts";
import { quiet, running } from "./running.ts";

describe("what the drivers of a guest tell its kernel", () => {
  const failure = { code: "openclaw_error", message: "it broke", cause: "HTTP 500" } as const;

  it("of a run that is not there, or has ended, is no news", () => {
    const { machine } = running();
    const { life } = machine.call;
    machine.kernel.modelEvents("nobody", [{ kind: "text", text: "x" }], machine.now);
    machine.kernel.modelTool("nobody", "exec", machine.now);
    machine.kernel.modelFailed("nobody", failure, machine.now);
    machine.finishes();
    const before = machine.logged.length;
    machine.kernel.modelFailed(life, failure, machine.now);
    expect(machine.logged).toHaveLength(before);
  });

  it("of a model's failure ends the run, tells its readers, and is logged with its cause", () => {
    const { machine, host } = running();
    machine.kernel.modelFailed(machine.call.life, failure, machine.now);
    expect(host.of("a").at(-1)?.payload).toMatchObject({ code: "openclaw_error", message: "it broke" });
    expect(machine.logged.at(-1)).toEqual({
      event: "run_failed",
      fields: { request_id: "r", code: "openclaw_error", reason: "HTTP 500" },
    });
    expect(machine.kernel.inFlight).toBe(0);
  });

  it("of a tool that the policy does not allow blocks the run", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    host.send("config_update", "c", configOf(7, {}, ["read"]));
    machine.kernel.configApplied(1, { kind: "applied" }, machine.now);
    host.message("a", {});
    machine.record();
    machine.kernel.modelTool(machine.call.life, "read", machine.now);
    expect(host.types("a")).toEqual(["opened"]);
    machine.kernel.modelTool(machine.call.life, "exec", machine.now);
    expect(host.types("a").at(-1)).toBe("tool_blocked");
  });

  it.each([
    [{ state: "ready", kind: "openclaw", kindReason: "" }, 2, "openclaw"],
    [{ state: "ready", kind: "plain", kindReason: "" }, 1, "plain"],
    [{ state: "starting", kind: "openclaw", kindReason: "why" }, 1, "openclaw"],
    [{ state: "ready", kind: undefined, kindReason: "" }, 1, "unknown"],
  ] as const)(
    "of a server that is %j: it is told its configuration %i times in all",
    (server, times, kind) => {
      const { machine } = running();
      machine.kernel.openclawChanged(server, machine.now);
      expect(machine.configs).toHaveLength(times);
      expect(machine.logged.find(({ event }) => event === "openclaw_state")?.fields).toEqual({
        state: server.state,
        server: kind,
        reason: server.kindReason,
      });
    },
  );

  it("of a configuration that waits for OpenClaw is logged with its reason, a refusal without its words", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    host.send("config_update", "c", configOf(7));
    machine.kernel.configApplied(1, { kind: "refused", reason: "no model mine" }, machine.now);
    expect(machine.logged.at(-1)).toEqual({ event: "config_refused", fields: { revision: 7 } });
    host.send("config_update", "d", configOf(8));
    machine.kernel.configApplied(2, { kind: "away", reason: "it starts" }, machine.now);
    expect(machine.logged.at(-1)).toEqual({
      event: "config_waits",
      fields: { revision: 8, reason: "it starts" },
    });
  });

  it("of a request that could not be written down is logged with its name", () => {
    const machine = new Machine({ bounds: quiet });
    machine.greeted().message("a", { request_id: "r" });
    machine.record(false);
    expect(machine.logged.at(-1)).toEqual({
      event: "request_not_recorded",
      fields: { request_id: "r" },
    });
  });
});
