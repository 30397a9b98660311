import { createGate } from "./access/gate.ts";
import { PushCalls } from "./config/pushes.ts";
import { RevisionCalls } from "./config/revisions.ts";
import type { CoreOptions } from "./options.ts";
import { createFindAgent } from "./registry/find-agent.ts";
import { RegistryCalls } from "./registry/registry.ts";
import { statusOf } from "./registry/status.ts";
import { RunCalls } from "./runs/run-calls.ts";
import type { Core } from "./types.ts";
import { WatchCalls } from "./watch/watch.ts";

/** Makes the calls that every API shares. */
export function createCore(options: CoreOptions): Core {
  const { quota, audit } = options;
  const gate = createGate(quota, (caller, agentId, detail) => audit.note(caller, "denied", agentId, detail));
  const find = createFindAgent(options);
  const runs = new RunCalls(options, gate, find);
  const pushes = new PushCalls(options, gate, find);
  const registry = new RegistryCalls(options, gate);
  const revisions = new RevisionCalls(options, gate, find);
  const watches = new WatchCalls(options, gate);
  return {
    admit: (caller, door, agentId) => gate.admit(caller, door, agentId),
    send: (caller, input, client) => runs.send(caller, input, client),
    stream: (caller, input, signal, drop) => runs.stream(caller, input, signal, drop),
    cancel: (caller, input, signal) => runs.cancel(caller, input, signal),
    pushConfig: (caller, input, signal) => pushes.pushConfig(caller, input, signal),
    pushContext: (caller, input, signal) => pushes.pushContext(caller, input, signal),
    async status(caller, agentId) {
      await gate.check(caller, "status", agentId);
      return statusOf(await find(caller, agentId));
    },
    createAgent: (caller, input) => registry.createAgent(caller, input),
    getAgent: (caller, agentId) => registry.getAgent(caller, agentId),
    listAgents: (caller, input) => registry.listAgents(caller, input),
    updateAgent: (caller, input) => registry.updateAgent(caller, input),
    deleteAgent: (caller, agentId) => registry.deleteAgent(caller, agentId),
    watchAgents: (caller, signal) => watches.watchAgents(caller, signal),
    listConfigRevisions: (caller, input) => revisions.list(caller, input),
    rollbackConfig: (caller, input, signal) => revisions.rollback(caller, input, signal),
  };
}
