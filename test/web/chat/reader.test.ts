import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { createValinorClient } from "../../../clients/ts/src/index.ts";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import {
  AgentProxy,
  type StreamRequest,
  type StreamResponse,
} from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { RunReader, type RunReaderOptions } from "../../../web/src/chat/reader.ts";
import { isActive, type Run, textOf } from "../../../web/src/chat/run.ts";
import { createLocalSlots } from "../../../web/src/slots.ts";
import { until } from "../../helpers/until.ts";
import { delta, done, freshRun, opened } from "./events.ts";

type Attempt = (StreamResponse | Error)[];
type Answer = (request: StreamRequest, signal: AbortSignal) => AsyncIterable<StreamResponse>;

/** A reader with a server that answers as it is told, and with an agent of a protocol; what was asked for stands in `asked`. */
function readerOf(answer: Answer, protocol: number, options: Partial<RunReaderOptions> = {}) {
  const asked: { after: number; hasMessage: boolean }[] = [];
  const saves: { text: string; lastSequence: number; sent: boolean }[] = [];
  const transport = createRouterTransport(({ service: add }) =>
    add(AgentProxy, {
      stream(request, { signal }) {
        asked.push({ after: request.afterSequence, hasMessage: request.message !== undefined });
        return answer(request, signal);
      },
      getAgentStatus: () => ({ protocol }),
    }),
  );
  const reader = new RunReader({
    client: createValinorClient({ transport }),
    slots: createLocalSlots(2),
    save: (run) => saves.push({ text: textOf(run), lastSequence: run.lastSequence, sent: run.sent }),
    changed: () => {},
    ...options,
  });
  return { reader, asked, saves };
}

/** A reader whose n-th stream is the n-th attempt. */
function script(attempts: Attempt[], options: Partial<RunReaderOptions> & { protocol?: number } = {}) {
  const { protocol = 2, ...rest } = options;
  return readerOf(
    async function* () {
      for (const step of attempts.shift() ?? []) {
        if (step instanceof Error) throw step;
        yield step;
      }
    },
    protocol,
    rest,
  );
}

const cut = (): ConnectError => new ConnectError("the network broke", Code.Unavailable);

function failure(
  reason: string,
  metadata: Record<string, string> = {},
  code: Code = Code.Unavailable,
): ConnectError {
  const value = create(ErrorInfoSchema, { reason, domain: "valinor.dev", metadata });
  return new ConnectError("no", code, undefined, [{ desc: ErrorInfoSchema, value }]);
}

async function ended(run: Run): Promise<void> {
  await until("the run is left", () => !isActive(run));
}

describe("a run that the console reads", () => {
  it("is kept before it is sent, and at its end", async () => {
    const run = freshRun();
    const { reader, saves } = script([[opened(), delta(1, "a"), done(2)]]);
    reader.start(run);
    expect(saves[0]).toMatchObject({ sent: false, lastSequence: 0 });
    await ended(run);
    expect(saves[1]).toMatchObject({ sent: true, lastSequence: 0 });
    await until(
      "it is kept at its end",
      () => saves.at(-1)?.text === "a" && saves.at(-1)?.lastSequence === 2,
    );
  });

  it("is resumed after the last event of each cut, without losing or repeating any", async () => {
    const run = freshRun();
    const { reader, asked } = script([
      [opened(), delta(1, "a"), delta(1, "a"), delta(2, "b"), cut()],
      [opened(), failure("RUN_INTERRUPTED")],
      [opened(), delta(3, "c")],
      [opened(), delta(4, "d"), delta(6, "f")],
      [opened(), delta(5, "e"), done(6)],
    ]);
    reader.start(run);
    await ended(run);
    expect(asked.map(({ after }) => after)).toEqual([0, 2, 2, 3, 4]);
    expect(textOf(run)).toBe("abcde");
    expect(run.state).toBe("done");
  });

  it("says what is wrong while it is tried again, and that it goes on once it is open", async () => {
    const run = freshRun();
    const states: string[] = [];
    const { reader } = script(
      [
        [opened(), delta(1, "a"), cut()],
        [opened(), done(2)],
      ],
      {
        changed: ({ state, problem }) => {
          const now = `${state} ${problem?.reason ?? "well"}`;
          if (states.at(-1) !== now) states.push(now);
        },
      },
    );
    reader.start(run);
    await ended(run);
    expect(states).toEqual([
      "waiting well",
      "sending well",
      "streaming well",
      "resuming CONNECTION_LOST",
      "streaming well",
      "done well",
    ]);
  });

  it("is not tried again after an error that ended it", async () => {
    const run = freshRun();
    const { reader, asked } = script([[opened(), delta(1, "a"), failure("AGENT_ERROR", { sequence: "2" })]]);
    reader.start(run);
    await ended(run);
    expect(run).toMatchObject({ state: "failed", problem: { reason: "AGENT_ERROR", endedRun: true } });
    expect(asked).toHaveLength(1);
  });

  it("is given up in time, and read on when that is asked for", async () => {
    const run = freshRun();
    const attempts = [[cut()], [opened(), delta(1, "a"), done(2)]];
    const { reader, asked } = script(attempts, { reading: { giveUpAfterMs: 0 } });
    reader.start(run);
    await ended(run);
    expect(run).toMatchObject({ state: "interrupted", problem: { reason: "CONNECTION_LOST" } });
    await until("the reader let go of it", () => {
      reader.start(run);
      return run.state === "done";
    });
    expect(textOf(run)).toBe("a");
    expect(asked.map(({ hasMessage }) => hasMessage)).toEqual([true, false]);
  });

  it("is sent as for the first time after an error that says that the agent has nothing of it", async () => {
    const run = freshRun();
    const refused = failure("AGENT_NOT_RUNNING", {}, Code.FailedPrecondition);
    const { reader, asked } = script([[refused], [opened(), done(1)]]);
    reader.start(run);
    await ended(run);
    expect(run).toMatchObject({ state: "interrupted", sent: false });
    await until("the reader let go of it", () => {
      reader.start(run);
      return run.state === "done";
    });
    expect(asked.map(({ hasMessage }) => hasMessage)).toEqual([true, true]);
  });

  it("is taken for cut when its stream goes silent, and resumed", async () => {
    const run = freshRun();
    let attempt = 0;
    const { reader } = readerOf(
      async function* (_request, signal) {
        yield opened();
        if (attempt++ > 0) return yield done(1);
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
        });
      },
      2,
      { reading: { silenceMs: 40 } },
    );
    reader.start(run);
    await ended(run);
    expect(run.state).toBe("done");
    expect(attempt).toBe(2);
  });
});

describe("a message to an agent of protocol 1", () => {
  it("is sent once if its stream is cut before its first event", async () => {
    const run = freshRun();
    const broken = (): Attempt => [opened(false), cut()];
    const attempts = [broken(), broken(), broken(), [opened(false), done(1)]];
    const { reader, asked } = script(attempts, { protocol: 1 });
    reader.start(run);
    await ended(run);
    expect(asked).toEqual([{ after: 0, hasMessage: true }]);
    expect(run).toMatchObject({ state: "failed", problem: { reason: "RUN_INTERRUPTED" } });
  });

  it("is sent once if its stream is cut in the middle", async () => {
    const run = freshRun();
    const { reader, asked } = script([[opened(false), delta(1, "a"), cut()]], { protocol: 1 });
    reader.start(run);
    await ended(run);
    expect(run.state).toBe("failed");
    expect(asked).toHaveLength(1);
  });

  it.each([
    ["before it was opened", true],
    ["after it was opened", false],
  ])("is not sent again by a page that was loaded anew %s", async (_name, resumable) => {
    const unknown = failure("RUN_UNKNOWN", {}, Code.NotFound);
    const { reader, asked } = script([[unknown], [unknown]], { protocol: 1 });
    // As the page before kept it: what became of the message is not known.
    const run = { ...freshRun(), sent: true, resumable };
    reader.start(run);
    await ended(run);
    expect(asked.filter(({ hasMessage }) => hasMessage)).toEqual([]);
    expect(run).toMatchObject({ state: "failed", problem: { reason: "RUN_UNKNOWN" } });
  });
});

describe("a run of an older page", () => {
  it("that had been opened is attached to: the message does not go there again", async () => {
    const { reader, asked } = script([[opened(), done(1)]]);
    const run = { ...freshRun(), sent: true, life: "life-1" };
    reader.start(run);
    await ended(run);
    expect(asked).toEqual([{ after: 0, hasMessage: false }]);
  });

  it("is only asked for if its message is older than what the agent remembers", async () => {
    const unknown = failure("RUN_UNKNOWN", {}, Code.NotFound);
    const { reader, asked } = script([[unknown]]);
    const run = { ...freshRun("r-1", Date.now() - 13 * 60 * 60_000), sent: true };
    reader.start(run);
    await ended(run);
    expect(asked).toEqual([{ after: 0, hasMessage: false }]);
    expect(run).toMatchObject({ state: "failed", problem: { reason: "RUN_UNKNOWN" } });
  });
});

describe("runs above the bound of streams", () => {
  it("wait, and are read in the order in which they were begun", async () => {
    const gates = new Map<string, () => void>();
    const { reader } = readerOf(async function* ({ requestId }) {
      yield opened();
      await new Promise<void>((resolve) => gates.set(requestId, resolve));
      yield done(1);
    }, 2);
    const runs = ["a", "b", "c", "d"].map((id) => freshRun(id));
    for (const run of runs) reader.start(run);
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

  it("leave the line when they are dropped, and are never sent", async () => {
    const { reader, asked } = script([], { slots: createLocalSlots(0) });
    const run = freshRun();
    reader.start(run);
    reader.drop(run);
    run.state = "cancelled";
    await new Promise((resolve) => setImmediate(resolve));
    expect(run).toMatchObject({ state: "cancelled", sent: false });
    expect(asked).toEqual([]);
  });
});
