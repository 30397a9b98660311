import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { StreamEvent } from "../../../clients/ts/src/index.ts";
import type { StreamRequest } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { clientOf, cut, failure, opened } from "./fake-server.ts";

function text(sequence: number): { sequence: number; event: { case: "textDelta"; value: { text: string } } } {
  return { sequence, event: { case: "textDelta", value: { text: `${sequence} ` } } };
}

describe("a server that leaves out an event", () => {
  it("is not believed: the stream fails with the number of the last good one", async () => {
    const client = clientOf({
      async *stream() {
        yield opened;
        yield text(1);
        yield text(3);
      },
    });
    const events: StreamEvent[] = [];
    const reading = Array.fromAsync(client.stream("demo", "hello"), (event) => events.push(event));
    await expect(reading).rejects.toMatchObject({ reason: "SEQUENCE_GAP", afterSequence: 1 });
    expect(events).toHaveLength(2);
  });
});

describe("a server that sends events again", () => {
  it("is heard once, and an end without done is no end", async () => {
    const asked: number[] = [];
    const client = clientOf({
      async *stream({ afterSequence }) {
        asked.push(afterSequence);
        yield opened;
        for (const n of [1, 1, 2]) yield text(n);
        if (afterSequence === 0) return;
        yield { sequence: 3, event: { case: "done", value: { finishReason: "stop" } } };
      },
    });
    expect(await client.send("demo", "hello")).toMatchObject({ content: "1 2 ", finishReason: "stop" });
    expect(asked).toEqual([0, 2]);
  });
});

describe("a run that is resumed", () => {
  it("is named by the life that was read of it, so that no other run goes on in its place", async () => {
    const asked: [number, string][] = [];
    const client = clientOf({
      async *stream({ afterSequence, life }) {
        asked.push([afterSequence, life]);
        yield {
          event: { case: "opened" as const, value: { requestId: "r", resumable: true, life: "life-1" } },
        };
        if (afterSequence === 0) yield text(1);
        else throw failure("RUN_LOST", Code.Aborted);
      },
    });
    await expect(client.send("demo", "hello")).rejects.toMatchObject({
      reason: "RUN_LOST",
      afterSequence: 1,
    });
    await expect(Array.fromAsync(client.attach("demo", "r", { life: "life-0" }))).rejects.toMatchObject({
      reason: "RUN_LOST",
    });
    expect(asked.slice(0, 2)).toEqual([
      [0, ""],
      [1, "life-1"],
    ]);
    expect(asked[2]).toEqual([0, "life-0"]);
  });
});

describe("an agent of protocol 1", () => {
  it("never gets a message twice if the answer to the opening was lost", async () => {
    const requests: StreamRequest[] = [];
    const client = clientOf({
      async *stream(request) {
        requests.push(request);
        yield* [];
        if (request.message !== undefined) throw cut();
        throw failure("RUN_UNKNOWN", Code.NotFound);
      },
      getAgentStatus: () => ({ protocol: 1 }),
    });
    await expect(client.send("demo", "hello")).rejects.toMatchObject({ reason: "RUN_UNKNOWN" });
    expect(requests.filter(({ message }) => message !== undefined)).toHaveLength(1);
  });

  it("is not resumed after a cut: the error says so at once", async () => {
    let calls = 0;
    const client = clientOf({
      async *stream() {
        calls++;
        yield { event: { case: "opened", value: { requestId: "r", resumable: false } } };
        throw cut();
      },
    });
    await expect(client.send("demo", "hello")).rejects.toMatchObject({ reason: "CONNECTION_LOST" });
    expect(calls).toBe(1);
  });
});

describe("a server that stops", () => {
  it("says by its last event that the agent may have the message: the run is attached to", async () => {
    const requests: StreamRequest[] = [];
    const client = clientOf({
      async *stream(request) {
        requests.push(request);
        if (requests.length === 1) throw failure("DRAINING", Code.Unavailable, { last_sequence: "0" });
        yield opened;
        yield text(1);
        if (requests.length === 2) throw failure("DRAINING", Code.Unavailable, { last_sequence: "1" });
        yield { sequence: 2, event: { case: "done", value: { finishReason: "stop" } } };
      },
    });
    expect(await client.send("demo", "hello")).toMatchObject({ content: "1 ", finishReason: "stop" });
    const asked = requests.map(({ message, afterSequence }) => [message !== undefined, afterSequence]);
    expect(asked).toEqual([
      [true, 0],
      [false, 0],
      [false, 1],
    ]);
  });
});
