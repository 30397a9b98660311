import type { ContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { describe, expect, it } from "vitest";
import type { RunEvent, RunStream } from "../../src/core/types.ts";
import { coalesceStream, relayKey } from "../../src/rpc/coalesce.ts";

const text = (sequence: number, words: string): RunEvent => ({ kind: "text", sequence, text: words });

/** A run that gives these batches, and then ends or fails. */
function runOf(batches: readonly (readonly RunEvent[])[], failure?: Error) {
  const left = [...batches];
  const log: string[] = [];
  const run: RunStream = {
    opened: { requestId: "r1", bootId: "b", attached: false, resumable: true, life: "" },
    async next() {
      log.push("next");
      const batch = left.shift();
      if (batch === undefined && failure !== undefined) throw failure;
      return batch;
    },
    close: () => void log.push("close"),
  };
  return { run, log };
}

/** The pieces of an answer whose implementation says `opened`, hands the run over and says how that went. */
async function answerOf(run: RunStream | undefined, log: string[] = []) {
  async function* implementation(values: ContextValues): AsyncGenerator<Uint8Array> {
    yield Buffer.from("opened");
    if (run === undefined) return;
    let end = "ended";
    try {
      await values.get(relayKey).send(run);
    } catch (error) {
      end = String(error);
    } finally {
      log.push("implementation goes on");
    }
    yield Buffer.from(end);
  }
  const handler = coalesceStream((async (request: UniversalServerRequest) => {
    if (request.contextValues === undefined) throw new Error("the request has no context");
    return {
      status: 200,
      header: new Headers({ "content-type": "application/connect+json" }),
      body: implementation(request.contextValues),
    };
  }) as unknown as UniversalHandler);
  const { body } = await handler({} as UniversalServerRequest);
  if (body === undefined) throw new Error("the answer has no body");
  return body[Symbol.asyncIterator]();
}

async function piecesOf(pieces: AsyncIterator<Uint8Array>): Promise<string[]> {
  const told: string[] = [];
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next())
    told.push(
      Buffer.from(next.value)
        .toString()
        .replaceAll(/[^\x20-\x7e]./g, "|"),
    );
  return told;
}

describe("a run that is handed over", () => {
  it("leaves as one piece a batch, between what the implementation said and its end", async () => {
    const { run } = runOf([[text(1, "a"), text(2, "b")], [text(3, "c")]]);
    const pieces = await piecesOf(await answerOf(run));
    expect(pieces).toHaveLength(4);
    expect(pieces[0]).toBe("opened");
    expect(pieces[1]).toMatch(/"text":"a".*"text":"b"/);
    expect(pieces[2]).toMatch(/"text":"c"/);
    expect(pieces[3]).toBe("ended");
  });

  it("tells the implementation what ended it", async () => {
    const { run } = runOf([[text(1, "a")]], new Error("the link is down"));
    expect((await piecesOf(await answerOf(run))).at(-1)).toBe("Error: the link is down");
  });

  it("is asked for the next batch only when the one before was taken", async () => {
    const { run, log } = runOf([[text(1, "a")], [text(2, "b")]]);
    const pieces = await answerOf(run);
    await pieces.next();
    expect(log).toEqual([]);
    await pieces.next();
    await new Promise(setImmediate);
    expect(log).toEqual(["next"]);
  });

  it("is closed, and its implementation ended, when the reader leaves", async () => {
    const { run, log } = runOf([[text(1, "a")], [text(2, "b")]]);
    const pieces = await answerOf(run, log);
    await pieces.next();
    await pieces.next();
    await pieces.return?.();
    expect(log).toEqual(["next", "close", "implementation goes on"]);
  });
});

it("an implementation without a run ends its answer by itself", async () => {
  expect(await piecesOf(await answerOf(undefined))).toEqual(["opened"]);
});
