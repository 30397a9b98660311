import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { StreamResponse } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { createEngine, type EngineOptions } from "../../web/src/chat/engine.ts";
import { isActive, type Run, textOf } from "../../web/src/chat/run.ts";
import { createLocalSlots } from "../../web/src/slots.ts";
import { until } from "../helpers/until.ts";
import { delta, done, freshRun, opened } from "./events.ts";

type Attempt = (StreamResponse | Error)[];

/** An engine whose n-th stream is the n-th attempt; what was asked for stands in `asked`. */
function script(attempts: Attempt[], options: Partial<EngineOptions> = {}) {
  const asked: number[] = [];
  const saves: { text: string; lastSequence: number; sent: boolean }[] = [];
  const engine = createEngine({
    async *open(run) {
      asked.push(run.lastSequence);
      for (const step of attempts.shift() ?? []) {
        if (step instanceof Error) throw step;
        yield step;
      }
    },
    slots: createLocalSlots(2),
    save: (run) => saves.push({ text: textOf(run), lastSequence: run.lastSequence, sent: run.sent }),
    changed: () => {},
    ...options,
  });
  return { engine, asked, saves };
}

function failure(reason: string, metadata: Record<string, string> = {}): ConnectError {
  const value = { reason, domain: "valinor.dev", metadata };
  return new ConnectError("no", Code.Unavailable, undefined, [{ desc: ErrorInfoSchema, value }]);
}

async function ended(run: Run): Promise<void> {
  await until("the run is left", () => !isActive(run));
}

describe("the console's engine", () => {
  it("keeps a run before it sends it", async () => {
    const run = freshRun();
    const { engine, saves } = script([[opened(), delta(1, "a"), done(2)]]);
    engine.start(run);
    expect(saves[0]).toMatchObject({ sent: false, lastSequence: 0 });
    await ended(run);
    expect(saves[1]).toMatchObject({ sent: true, lastSequence: 0 });
    await until(
      "it is kept at its end",
      () => saves.at(-1)?.text === "a" && saves.at(-1)?.lastSequence === 2,
    );
  });

  it("resumes after the last event of each cut, without losing or repeating any", async () => {
    const run = freshRun();
    const { engine, asked } = script([
      [opened(), delta(1, "a"), delta(2, "b"), new TypeError("network error")],
      [opened(), failure("RUN_INTERRUPTED")],
      [opened(), delta(3, "c")],
      [opened(), delta(4, "d"), delta(6, "f")],
      [opened(), delta(5, "e"), done(6)],
    ]);
    engine.start(run);
    await ended(run);
    expect(asked).toEqual([0, 2, 2, 3, 4]);
    expect(textOf(run)).toBe("abcde");
    expect(run.state).toBe("done");
  });

  it("does not try again what ended the run", async () => {
    const run = freshRun();
    const { engine, asked } = script([[opened(), delta(1, "a"), failure("AGENT_ERROR", { sequence: "2" })]]);
    engine.start(run);
    await ended(run);
    expect(run).toMatchObject({ state: "failed", problem: { reason: "AGENT_ERROR", endedRun: true } });
    expect(asked).toEqual([0]);
  });

  it("gives up in time, and reads on when told to", async () => {
    const run = freshRun();
    const attempts = [[new TypeError("no network")], [opened(), delta(1, "a"), done(2)]];
    const { engine } = script(attempts, { patienceMs: 0 });
    engine.start(run);
    await ended(run);
    expect(run).toMatchObject({ state: "interrupted", problem: { reason: "NETWORK" } });
    await until("the engine let go of it", () => {
      engine.start(run);
      return run.state === "done";
    });
    expect(textOf(run)).toBe("a");
  });

  it("never resumes an agent that cannot", async () => {
    const run = freshRun();
    const { engine, asked } = script([[opened(false), delta(1, "a"), new TypeError("network error")]]);
    engine.start(run);
    await ended(run);
    expect(run.state).toBe("failed");
    expect(asked).toEqual([0]);
  });

  it("takes a silent stream for dead and resumes it", async () => {
    const run = freshRun();
    let attempt = 0;
    const { engine } = script([], {
      silenceMs: 40,
      async *open(_run, signal) {
        yield opened();
        if (attempt++ > 0) return yield done(1);
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
        });
      },
    });
    engine.start(run);
    await ended(run);
    expect(run.state).toBe("done");
    expect(attempt).toBe(2);
  });

  it("lets runs above the bound wait, in order", async () => {
    const gates = new Map<string, () => void>();
    const { engine } = script([], {
      async *open(run) {
        yield opened();
        await new Promise<void>((resolve) => gates.set(run.requestId, resolve));
        yield done(1);
      },
    });
    const runs = ["a", "b", "c", "d"].map((id) => freshRun(id));
    for (const run of runs) engine.start(run);
    await until("two are open", () => gates.size === 2);
    expect(runs.map(({ state }) => state)).toEqual(["streaming", "streaming", "waiting", "waiting"]);
    gates.get("b")?.();
    await until("the third is open", () => gates.has("c"));
    expect(runs[3]?.state).toBe("waiting");
    for (const id of ["a", "c"]) gates.get(id)?.();
    await until("the last is open", () => gates.has("d"));
    gates.get("d")?.();
    for (const run of runs) await ended(run);
  });

  it("takes a run out of the line", async () => {
    const { engine } = script([], { slots: createLocalSlots(0) });
    const run = freshRun();
    engine.start(run);
    engine.drop(run);
    run.state = "cancelled";
    await new Promise((resolve) => setImmediate(resolve));
    expect(run).toMatchObject({ state: "cancelled", sent: false });
  });
});
