import { randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { OnDisconnect } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { ToolPolicy_Mode } from "../../gen/ts/valinor/v1/types_pb.ts";
import { rpcFailureOf } from "../helpers/failures.ts";
import { collect, upTo } from "./collect.ts";
import { type Stack, startStack } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

describe("a run that clients read", () => {
  it("is read again from any sequence by its request_id, and the model is called once", async () => {
    const before = stack.model.calls;
    const requestId = randomUUID();
    const whole = await collect(
      stack.proxy.stream({ agentId: "demo", requestId, message: { content: "!words 10" } }),
    );
    expect(whole.attached).toBe(false);
    for (const afterSequence of [0, 1, 5, 10]) {
      const rest = await collect(stack.proxy.stream({ agentId: "demo", requestId, afterSequence }));
      expect(rest.attached).toBe(true);
      expect(rest.sequences).toEqual(upTo(11).slice(afterSequence));
      expect(whole.text.endsWith(rest.text)).toBe(true);
    }
    expect(stack.model.calls - before).toBe(1);
  });

  it("that nobody knows is RUN_UNKNOWN, and nothing runs", async () => {
    const before = stack.model.calls;
    const failure = await rpcFailureOf(
      collect(stack.proxy.stream({ agentId: "demo", requestId: "never-heard-of" })),
    );
    expect(failure).toMatchObject({ code: Code.NotFound, reason: "RUN_UNKNOWN", domain: "valinor.dev" });
    expect(stack.model.calls).toBe(before);
  });

  it("refuses another message under its request_id", async () => {
    const requestId = randomUUID();
    await stack.proxy.sendMessage({ agentId: "demo", requestId, message: { content: "!echo one" } });
    const failure = await rpcFailureOf(
      stack.proxy.sendMessage({ agentId: "demo", requestId, message: { content: "!echo two" } }),
    );
    expect(failure).toMatchObject({ code: Code.AlreadyExists, reason: "REQUEST_ID_REUSED" });
  });

  it("with CANCEL ends within 100 ms of its client's leaving", async () => {
    const leave = new AbortController();
    const aborted = stack.model.aborted;
    let left = 0;
    const request = { agentId: "demo", message: { content: "!pace 20 !words 1000" } };
    const stream = stack.proxy.stream(
      { ...request, onDisconnect: OnDisconnect.CANCEL },
      { signal: leave.signal },
    );
    const failure = await rpcFailureOf(
      collect(stream, (event) => {
        if (event.sequence !== 5) return;
        left = performance.now();
        leave.abort();
      }),
    );
    expect(failure.code).toBe(Code.Canceled);
    await vi.waitFor(() => expect(stack.model.aborted).toBe(aborted + 1), { interval: 2, timeout: 5_000 });
    // The promise is 100 ms; the rest is slack for a machine that does other things too.
    expect(performance.now() - left).toBeLessThan(300);
  });

  it("with CONTINUE goes on without its client, and is read later", async () => {
    const leave = new AbortController();
    const requestId = randomUUID();
    const message = { content: "!pace 5 !words 40" };
    const options = { signal: leave.signal };
    const first = collect(
      stack.proxy.stream(
        { agentId: "demo", requestId, message, onDisconnect: OnDisconnect.CONTINUE },
        options,
      ),
      (event) => event.sequence === 3 && leave.abort(),
    );
    await expect(first).rejects.toThrow(ConnectError);
    const rest = await collect(stack.proxy.stream({ agentId: "demo", requestId, afterSequence: 3 }));
    expect(rest.sequences).toEqual(upTo(41).slice(3));
    expect(rest.finishReason).toBe("stop");
  });

  it("is cancelled by CancelMessage, and each of its readers hears of it", async () => {
    const requestId = randomUUID();
    const request = { agentId: "demo", requestId, message: { content: "!pace 20 !words 1000" } };
    const running = Promise.withResolvers<void>();
    const one = rpcFailureOf(
      collect(stack.proxy.stream(request), (event) => event.sequence === 2 && running.resolve()),
    );
    const two = rpcFailureOf(stack.proxy.sendMessage(request));
    await running.promise;
    expect(await stack.proxy.cancelMessage({ agentId: "demo", requestId })).toMatchObject({ found: true });
    for (const failure of await Promise.all([one, two])) {
      expect(failure).toMatchObject({
        code: Code.Canceled,
        reason: "RUN_CANCELLED",
        metadata: { request_id: requestId },
      });
      expect(Number(failure.metadata?.["sequence"])).toBeGreaterThan(2);
    }
    expect(await stack.proxy.cancelMessage({ agentId: "demo", requestId })).toMatchObject({ found: false });
  });

  it("whose model fails ends with AGENT_ERROR, the code and the sequence", async () => {
    const failure = await rpcFailureOf(
      stack.proxy.sendMessage({ agentId: "demo", message: { content: "!fail 500" } }),
    );
    expect(failure).toMatchObject({
      reason: "AGENT_ERROR",
      metadata: { code: "openclaw_error", sequence: "1" },
    });
    expect(failure.text).not.toContain(stack.model.url);
  });

  it("whose model is cut off midway does not pass for a success", async () => {
    const failure = await rpcFailureOf(
      collect(stack.proxy.stream({ agentId: "demo", message: { content: "!words 5 !cut" } })),
    );
    expect(failure).toMatchObject({ reason: "AGENT_ERROR" });
  });

  it("obeys the client's deadline, which detaches from it", async () => {
    const before = stack.model.calls;
    const failure = await rpcFailureOf(
      stack.proxy.sendMessage({ agentId: "demo", message: { content: "!stall 5" } }, { timeoutMs: 200 }),
    );
    expect(failure.code).toBe(Code.DeadlineExceeded);
    // Other tests count the model's calls: this one's has come by then.
    await vi.waitFor(() => expect(stack.model.calls).toBe(before + 1), { timeout: 5_000 });
  });

  it("keeps answering others while a slow one is silent", async () => {
    const before = stack.model.calls;
    const leave = new AbortController();
    const silent = collect(
      stack.proxy.stream({ agentId: "demo", message: { content: "!stall 30" } }, { signal: leave.signal }),
    );
    const answer = await stack.proxy.sendMessage({ agentId: "demo", message: { content: "!echo here" } });
    expect(answer.content).toContain("here");
    await vi.waitFor(() => expect(stack.model.calls).toBe(before + 2), { timeout: 5_000 });
    leave.abort();
    await expect(silent).rejects.toThrow(ConnectError);
  });
});

describe("a tool call", () => {
  it("reaches the client if the policy allows it, and is TOOL_BLOCKED if it does not", async () => {
    const message = { content: '!tool get_weather {"city":"Oslo"}' };
    const answer = await stack.proxy.sendMessage({ agentId: "demo", message });
    expect(answer.finishReason).toBe("tool_calls");
    expect(answer.toolCalls).toMatchObject([{ toolName: "get_weather", arguments: '{"city":"Oslo"}' }]);

    const toolPolicy = { mode: ToolPolicy_Mode.LISTED, tools: [] };
    expect(await stack.proxy.pushConfig({ agentId: "demo", config: {}, toolPolicy })).toMatchObject({
      applied: true,
    });
    const failure = await rpcFailureOf(stack.proxy.sendMessage({ agentId: "demo", message }));
    expect(failure).toMatchObject({
      code: Code.PermissionDenied,
      reason: "TOOL_BLOCKED",
      metadata: { tool: "get_weather" },
    });
    expect(await stack.proxy.pushConfig({ agentId: "demo", config: {} })).toMatchObject({ applied: true });
  });
});

describe("an answer", () => {
  it("of 20 MB streams through whole", async () => {
    const size = 20 * 1024 * 1024;
    let bytes = 0;
    const { finishReason } = await collect(
      stack.proxy.stream({ agentId: "demo", message: { content: `!bytes ${size}` } }),
      ({ event }) => {
        if (event.case === "textDelta") bytes += event.value.text.length;
      },
    );
    expect(finishReason).toBe("stop");
    expect(bytes).toBe(size);
  });

  it("over 3 MiB is REPLY_TOO_LARGE for SendMessage, and the link goes on", async () => {
    const failure = await rpcFailureOf(
      stack.proxy.sendMessage({ agentId: "demo", message: { content: `!bytes ${3 * 1024 * 1024 + 1}` } }),
    );
    expect(failure).toMatchObject({ code: Code.ResourceExhausted, reason: "REPLY_TOO_LARGE" });
    const answer = await stack.proxy.sendMessage({
      agentId: "demo",
      message: { content: `!bytes ${3 * 1024 * 1024}` },
    });
    expect(answer.content).toHaveLength(3 * 1024 * 1024);
  });
});

describe("bad input of a client", () => {
  it("is invalid_argument with a sentence that names it, and calls no model", async () => {
    const before = stack.model.calls;
    const calls = [
      stack.proxy.sendMessage({ agentId: "demo" }),
      stack.proxy.sendMessage({ agentId: "demo", message: { content: "" } }),
      stack.proxy.sendMessage({ agentId: "demo", message: { role: "system", content: "obey" } }),
      stack.proxy.sendMessage({ agentId: "../x", message: { content: "hello" } }),
      stack.proxy.sendMessage({ agentId: "demo", requestId: "a b", message: { content: "hello" } }),
      stack.proxy.sendMessage({ agentId: "demo", message: { content: "x".repeat(1024 * 1024 + 1) } }),
      collect(stack.proxy.stream({ agentId: "demo" })),
    ];
    for (const failure of await Promise.all(calls.map(rpcFailureOf))) {
      expect(failure).toMatchObject({ code: Code.InvalidArgument, reason: "INVALID_ARGUMENT" });
    }
    expect(stack.model.calls).toBe(before);
  });

  it("naming an unknown agent is AGENT_NOT_FOUND", async () => {
    const failure = await rpcFailureOf(
      stack.proxy.sendMessage({ agentId: "nobody", message: { content: "hello" } }),
    );
    expect(failure).toMatchObject({
      code: Code.NotFound,
      reason: "AGENT_NOT_FOUND",
      metadata: { agent_id: "nobody" },
    });
  });
});
