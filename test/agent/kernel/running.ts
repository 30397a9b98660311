import { configOf, HostEnd, Machine } from "./machine.ts";

/** Bounds of a guest that is not woken by heartbeats, nor by the silence of its hosts. */
export const quiet = { hostSilenceMs: 1e9, heartbeatMs: 1e9 };

/** A guest with a configuration, and a run of which a reader has the first event. */
export function running(bounds: object = {}): { machine: Machine; host: HostEnd } {
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
