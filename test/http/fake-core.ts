import { ValinorError } from "../../src/core/errors.ts";
import type { StreamInput } from "../../src/core/inputs.ts";
import type { Caller, Core, RunEvent, RunOpened, RunStream } from "../../src/core/types.ts";
import type { AgentRecord } from "../../src/store/store.ts";

/** A caller for tests. */
export const caller: Caller = {
  tenant: "acme",
  subject: "ann",
  credential: "token:test",
  permissions: new Set(["agents:read", "agents:write"]),
};

/** An agent for tests. */
export const agent: AgentRecord = {
  tenant: "acme",
  id: "a1",
  status: "RUNNING",
  vsockCid: 3,
  address: "",
  etag: "e1",
  createTime: new Date(0),
  updateTime: new Date(0),
  configRevision: 1,
};

/** A Core whose every call is unimplemented, but for those given. */
export function fakeCore(calls: Partial<Core>): Core {
  const missing = () => Promise.reject(new ValinorError("UNIMPLEMENTED", "the fake core has no such call"));
  return {
    admit: (who) => who,
    send: missing,
    stream: missing,
    cancel: missing,
    pushConfig: missing,
    pushContext: missing,
    status: missing,
    createAgent: missing,
    getAgent: missing,
    listAgents: missing,
    updateAgent: missing,
    deleteAgent: missing,
    watchAgents: () => ({ [Symbol.asyncIterator]: () => ({ next: missing }) }),
    listConfigRevisions: missing,
    rollbackConfig: missing,
    ...calls,
  };
}

/** A run whose events a test hands out. */
export interface FakeRun extends RunStream {
  /** Gives a batch to the reader. */
  push(...events: RunEvent[]): void;
  /** Ends the run with an error. */
  fail(error: Error): void;
  /** Ends the run without an event. */
  end(): void;
  /** Resolves when the reader has closed the stream. */
  readonly closed: Promise<void>;
  readonly closes: () => number;
  /** How often `next` was called. */
  readonly nexts: () => number;
}

/** Makes a run that is read by `next`. */
export function fakeRun(opened: Partial<RunOpened> = {}): FakeRun {
  const steps: (() => readonly RunEvent[] | undefined)[] = [];
  const closed = Promise.withResolvers<void>();
  let wake: (() => void) | undefined;
  let closes = 0;
  let nexts = 0;
  const add = (step: () => readonly RunEvent[] | undefined) => {
    steps.push(step);
    wake?.();
  };
  return {
    opened: { requestId: "r1", bootId: "b1", attached: false, resumable: true, life: "life-1", ...opened },
    next: async () => {
      nexts++;
      if (steps.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const step = steps.shift();
      return step?.();
    },
    close: () => {
      closes++;
      closed.resolve();
    },
    push: (...events) => add(() => events),
    fail: (error) =>
      add(() => {
        throw error;
      }),
    end: () => add(() => undefined),
    closed: closed.promise,
    closes: () => closes,
    nexts: () => nexts,
  };
}

/** A Core that streams these runs in turn, and what it was asked. */
export function streamCore(...runs: RunStream[]): { core: Core; asked: StreamInput[] } {
  const asked: StreamInput[] = [];
  return {
    asked,
    core: fakeCore({
      stream: (_caller, input) => {
        asked.push(input);
        const run = runs.shift();
        if (run === undefined) return Promise.reject(new ValinorError("INTERNAL", "no run is left"));
        return Promise.resolve(run);
      },
    }),
  };
}
