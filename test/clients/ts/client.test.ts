import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createGrpcTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  createValinorClient,
  isReason,
  type RetryNotice,
  type StreamEvent,
  type ValinorClient,
  ValinorError,
} from "../../../clients/ts/src/index.ts";
import { transientReasons } from "../../../clients/ts/src/reasons.ts";
import { clientReasons } from "../../../gen/ts/reasons.ts";
import { errorRow, reasons } from "../../../src/core/errors.ts";
import { upTo } from "../../e2e/collect.ts";
import { type Stack, startStack } from "../../e2e/stack.ts";
import { failureOf } from "../../helpers/failures.ts";
import { type CuttingProxy, startCuttingProxy, WHOLE } from "../cutting-proxy.ts";

let stack: Stack;
let network: CuttingProxy;
let client: ValinorClient;

beforeAll(async () => {
  stack = await startStack();
});

// Its own for each test: fetch shares connections by origin, and takes one that a test before has cut for alive until it is told otherwise.
beforeEach(async () => {
  network = await startCuttingProxy(stack.url);
  client = createValinorClient({ baseUrl: network.url });
});

const words = (count: number): string =>
  upTo(count)
    .map((n) => `word${n}`)
    .join(" ");

function textOf(events: readonly StreamEvent[]): string {
  return events.map((event) => (event.type === "text" ? event.text : "")).join("");
}

function numbersOf(events: readonly StreamEvent[]): number[] {
  return events.flatMap((event) => (event.type === "opened" ? [] : [event.sequence]));
}

/** The client's error that a promise rejects with. */
async function valinorErrorOf(promise: Promise<unknown>): Promise<ValinorError> {
  const error = await failureOf(promise);
  expect(error).toBeInstanceOf(ValinorError);
  return error as ValinorError;
}

describe("a stream", () => {
  it("opens, gives the answer and ends with done", async () => {
    const stream = client.stream("demo", "!words 5");
    const events = await Array.fromAsync(stream);
    expect(events[0]).toMatchObject({ type: "opened", requestId: stream.requestId, resumable: true });
    expect(textOf(events)).toBe(words(5));
    expect(events.at(-1)).toMatchObject({ type: "done", finishReason: "stop" });
  });

  it("gives calls of client tools", async () => {
    const events = await Array.fromAsync(client.stream("demo", '!tool look {"a":1}'));
    expect(events).toContainEqual(
      expect.objectContaining({ type: "tool_call", toolName: "look", arguments: '{"a":1}' }),
    );
  });

  it("works over any transport", async () => {
    const grpc = createValinorClient({ transport: createGrpcTransport({ baseUrl: stack.url }) });
    expect(await grpc.send("demo", "!words 3")).toMatchObject({ content: words(3), finishReason: "stop" });
    const error = await valinorErrorOf(grpc.send("nobody", "hello"));
    expect(error).toMatchObject({ reason: "AGENT_NOT_FOUND", code: "not_found" });
  });

  it("can be read again by its name, from any event on", async () => {
    const stream = client.stream("demo", "!words 9");
    await Array.fromAsync(stream);
    const rest = await Array.fromAsync(client.attach("demo", stream.requestId, { afterSequence: 6 }));
    expect(numbersOf(rest)).toEqual([7, 8, 9, 10]);
  });
});

describe("a network that cuts connections", () => {
  it("costs a stream no event and gives none twice, wherever it cuts", async () => {
    const cut = fc.record({
      up: fc.oneof({ weight: 5, arbitrary: fc.constant(Infinity) }, fc.integer({ min: 1, max: 600 })),
      down: fc.integer({ min: 1, max: 2_000 }),
    });
    const property = fc.asyncProperty(fc.array(cut, { minLength: 1, maxLength: 4 }), async (cuts) => {
      const before = stack.model.calls;
      const left = [...cuts];
      network.plan(() => left.shift() ?? WHOLE);
      network.cutAll();
      const events = await Array.fromAsync(client.stream("demo", "!words 60"));
      expect(textOf(events)).toBe(words(60));
      expect(numbersOf(events)).toEqual(upTo(61));
      expect(events.filter(({ type }) => type === "opened")).toHaveLength(1);
      expect(stack.model.calls - before, "the message ran once").toBe(1);
    });
    await fc.assert(property, { numRuns: 8, endOnFailure: true });
    expect(network.cuts).toBeGreaterThan(8);
  });

  it("is told of, and mended without a word to the reader", async () => {
    const retries: RetryNotice[] = [];
    const stream = client.stream("demo", "!pace 20 !words 40", { onRetry: (notice) => retries.push(notice) });
    const events: StreamEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      if (event.type === "text" && event.sequence === 15) network.cutAll();
    }
    expect(textOf(events)).toBe(words(40));
    expect(retries.map(({ attempt }) => attempt)).toEqual([1]);
    expect(retries[0]?.error).toMatchObject({ reason: "CONNECTION_LOST", requestId: stream.requestId });
  });

  it("makes no second run if the answer to the opening is lost", async () => {
    const before = stack.model.calls;
    const left = [{ up: Infinity, down: 1 }];
    network.cutAll();
    network.plan(() => left.shift() ?? WHOLE);
    const answer = await client.send("demo", "!echo once");
    expect(answer.content).toContain("once");
    expect(stack.model.calls - before).toBe(1);
  });

  it("is an error when it lasts, and the stream can be taken up later", async () => {
    const stream = client.stream("demo", "!pace 20 !words 30", { giveUpAfterMs: 300 });
    const events: StreamEvent[] = [];
    const reading = (async () => {
      for await (const event of stream) {
        events.push(event);
        if (event.type === "text" && event.sequence === 10) {
          network.plan(() => ({ up: 1, down: 1 }));
          network.cutAll();
        }
      }
    })();
    const error = await valinorErrorOf(reading);
    expect(error).toMatchObject({ reason: "CONNECTION_LOST", requestId: stream.requestId });
    expect(error.sequence).toBeUndefined();
    network.plan(() => WHOLE);
    const { afterSequence = 0 } = error;
    events.push(...(await Array.fromAsync(client.attach("demo", stream.requestId, { afterSequence }))));
    expect(textOf(events)).toBe(words(30));
  });

  it("that goes silent is noticed, and counts as a lost connection", async () => {
    const retries: RetryNotice[] = [];
    const options = {
      silenceMs: 250,
      giveUpAfterMs: 0,
      onRetry: (notice: RetryNotice) => retries.push(notice),
    };
    const error = await valinorErrorOf(client.send("demo", "!stall 20", options));
    expect(error).toMatchObject({ reason: "CONNECTION_LOST", message: "the server has gone silent" });
    expect(retries).toEqual([]);
    await client.cancel("demo", error.requestId ?? "");
  });
});

describe("leaving a stream", () => {
  it("by break cancels the run", async () => {
    const aborted = stack.model.aborted;
    const stream = client.stream("demo", "!pace 20 !words 500");
    for await (const event of stream) if (event.type === "text" && event.sequence === 3) break;
    await expect.poll(() => stack.model.aborted).toBe(aborted + 1);
    const error = await valinorErrorOf(Array.fromAsync(client.attach("demo", stream.requestId)));
    expect(error.reason).toBe("RUN_CANCELLED");
  });

  it("by an error in the loop cancels the run, and the error stays the loop's", async () => {
    const aborted = stack.model.aborted;
    const reading = (async () => {
      for await (const event of client.stream("demo", "!pace 20 !words 500")) {
        if (event.type === "text") throw new TypeError("mine");
      }
    })();
    await expect(reading).rejects.toThrow(new TypeError("mine"));
    await expect.poll(() => stack.model.aborted).toBe(aborted + 1);
  });

  it("by return while an event is awaited ends the loop", async () => {
    const stream = client.stream("demo", "!stall 20");
    await stream.next();
    const pending = stream.next();
    await stream.return();
    expect(await pending).toEqual({ done: true, value: undefined });
    await expect.poll(() => stack.model.active).toBe(0);
  });

  it("by an AbortSignal rejects with its reason and cancels the run", async () => {
    const leave = new AbortController();
    const mine = new Error("enough");
    const stream = client.stream("demo", "!pace 20 !words 500", { signal: leave.signal });
    const reading = Array.fromAsync(stream, (event) => {
      if (event.type === "text") leave.abort(mine);
    });
    await expect(reading).rejects.toBe(mine);
    await expect.poll(() => stack.model.active).toBe(0);
  });

  it("before the server has answered cancels what is under way", async () => {
    const leave = new AbortController();
    const stream = client.stream("demo", "!pace 20 !words 500", { signal: leave.signal });
    const first = stream.next();
    leave.abort();
    await expect(first).rejects.toThrow(/abort/i);
    await expect.poll(() => stack.model.active).toBe(0);
  });

  it("lets the run go on without its reader if onDisconnect says continue", async () => {
    const stream = client.stream("demo", "!pace 5 !words 30", { onDisconnect: "continue" });
    for await (const event of stream) if (event.type === "text") break;
    const events = await Array.fromAsync(client.attach("demo", stream.requestId));
    expect(textOf(events)).toBe(words(30));
  });

  it("after its last event cancels nothing and fails nowhere", async () => {
    const stream = client.stream("demo", "!words 2");
    for await (const event of stream) if (event.type === "done") break;
    const again = await Array.fromAsync(client.attach("demo", stream.requestId));
    expect(again.at(-1)).toMatchObject({ type: "done", sequence: 3 });
  });
});

describe("errors", () => {
  it("that ended the run have its reason, code and place, and are not tried again", async () => {
    const before = stack.model.calls;
    const error = await valinorErrorOf(client.send("demo", "!fail 500"));
    expect(isReason(error, "AGENT_ERROR", "TOOL_BLOCKED")).toBe(true);
    expect(error).toMatchObject({ code: "internal", metadata: { agent_id: "demo", code: "openclaw_error" } });
    expect(error.sequence).toBeGreaterThan(0);
    expect(stack.model.calls - before).toBe(1);
  });

  it("of every call are typed", async () => {
    const unknown = { reason: "AGENT_NOT_FOUND", code: "not_found" };
    expect(await valinorErrorOf(client.status("nobody"))).toMatchObject(unknown);
    expect(await valinorErrorOf(client.agents.getAgent({ agentId: "nobody" }))).toMatchObject(unknown);
    expect(
      await valinorErrorOf(Array.fromAsync(client.proxy.stream({ agentId: "nobody", requestId: "r" }))),
    ).toMatchObject(unknown);
    expect(await valinorErrorOf(client.stream("demo", { content: "" }).next())).toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
  });

  it("are tried again if the server says that a retry can help by itself, in Go as in TypeScript", () => {
    // Somebody has to start the agent's machine first.
    const wait = new Set(["AGENT_NOT_RUNNING", "AGENT_UNASSIGNED"]);
    const helped = reasons.filter((reason) => errorRow(reason).retryMs !== undefined && !wait.has(reason));
    const expected = [...helped, "AGENT_TIMEOUT"].toSorted();
    expect(
      [...transientReasons].filter((reason) => !Object.hasOwn(clientReasons, reason)).toSorted(),
    ).toEqual(expected);
    const go = readFileSync(join(import.meta.dirname, "../../../clients/go/client/reasons.go"), "utf8");
    const names = new Map(
      [...go.matchAll(/(Reason\w+) = "([A-Z_]+)"/g)].map(([, name, reason]) => [name, reason]),
    );
    const set = /transientReasons = map\[string\]bool\{([^}]+)\}/.exec(go)?.[1] ?? "";
    const transient = [...set.matchAll(/(Reason\w+): +true/g)].map(([, name]) => String(names.get(name)));
    expect(transient.toSorted()).toEqual(expected);
  });
});

describe("the other calls", () => {
  it("push configuration and context, and say what is known of the agent", async () => {
    await stack.addAgent("settings");
    const pushed = await client.pushConfig("settings", { config: { system_prompt: "be brief" } });
    expect(pushed).toMatchObject({ revision: 2, applied: true });
    expect(await client.pushContext("settings", "the sky is green")).toMatchObject({ applied: true });
    expect(await client.status("settings")).toMatchObject({ connected: true, observedRevision: 2 });
    expect(await client.cancel("settings", "nothing")).toMatchObject({ found: false });
  });
});
