import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Slots } from "../../../clients/ts/src/index.ts";
import type { StreamRequest } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { clientOf, cut, done, failure, opened } from "./fake-server.ts";

afterEach(() => void vi.restoreAllMocks());

describe("a message that may have been sent before", () => {
  /** An agent that knows no run; what it is asked stands in `asked`. */
  function forgetful(protocol: number) {
    const asked: ("message" | "attach")[] = [];
    const client = clientOf({
      async *stream({ message }) {
        asked.push(message === undefined ? "attach" : "message");
        if (message === undefined) throw failure("RUN_UNKNOWN", Code.NotFound);
        yield opened;
        yield done;
      },
      getAgentStatus: () => ({ protocol }),
    });
    return { client, asked };
  }

  it("is sent only once the agent says that it has no such run", async () => {
    const { client, asked } = forgetful(2);
    await client.send("demo", "hello", { requestId: "r", sentBefore: true });
    expect(asked).toEqual(["attach", "message"]);
  });

  it("is not sent to an agent of protocol 1, which cannot say it", async () => {
    const { client, asked } = forgetful(1);
    const sending = client.send("demo", "hello", { requestId: "r", sentBefore: true });
    await expect(sending).rejects.toMatchObject({ reason: "RUN_UNKNOWN" });
    expect(asked).toEqual(["attach"]);
  });

  it("is not sent if its run exists", async () => {
    const asked: StreamRequest[] = [];
    const client = clientOf({
      async *stream(request) {
        asked.push(request);
        yield opened;
        yield done;
      },
    });
    await client.send("demo", "hello", { requestId: "r", sentBefore: true });
    expect(asked.map(({ message }) => message)).toEqual([undefined]);
  });
});

describe("a stream's delivery", () => {
  it.each([
    ["none", "AGENT_NOT_RUNNING", Code.FailedPrecondition],
    ["unsure", "RUN_INTERRUPTED", Code.Unavailable],
  ] as const)("is %s after %s", async (delivery, reason, code) => {
    const client = clientOf({
      async *stream() {
        yield* [];
        throw failure(reason, code);
      },
    });
    const stream = client.stream("demo", "hello", { giveUpAfterMs: 0 });
    expect(stream.delivery).toBe("none");
    const first = stream.next();
    expect(stream.delivery).toBe("unsure");
    await expect(first).rejects.toMatchObject({ reason });
    expect(stream.delivery).toBe(delivery);
  });

  it("is sure once the run is open", async () => {
    const client = clientOf({
      async *stream() {
        yield opened;
        yield done;
      },
    });
    const stream = client.stream("demo", "hello");
    await stream.next();
    expect(stream.delivery).toBe("sure");
    await Array.fromAsync(stream);
  });
});

describe("slots", () => {
  it("are taken for each call of a stream, and given back before the pause and at the end", async () => {
    const told: string[] = [];
    let calls = 0;
    const client = clientOf({
      async *stream() {
        yield opened;
        if (calls++ === 0) throw cut();
        yield done;
      },
    });
    const slots: Slots = {
      take() {
        told.push("take");
        let given = false;
        return Promise.resolve(() => {
          if (!given) told.push("give back");
          given = true;
        });
      },
    };
    await client.send("demo", "hello", { slots, onRetry: () => void told.push("retry") });
    expect(told).toEqual(["take", "give back", "retry", "take", "give back"]);
  });

  it("that are waited for count as no outage", async () => {
    let calls = 0;
    const client = clientOf({
      async *stream() {
        yield opened;
        if (calls++ < 2) throw cut();
        yield done;
      },
    });
    vi.spyOn(Math, "random").mockReturnValue(0);
    const slots: Slots = {
      take: async () => {
        if (calls > 0) await new Promise((resolve) => setTimeout(resolve, 300));
        return () => {};
      },
    };
    expect(await client.send("demo", "hello", { slots, giveUpAfterMs: 200 })).toMatchObject({
      finishReason: "stop",
    });
  });

  it("that are waited for are left when the signal aborts, and nothing is sent", async () => {
    let calls = 0;
    const client = clientOf({
      async *stream() {
        calls++;
        yield opened;
      },
    });
    const leave = new AbortController();
    const slots: Slots = {
      take: (signal) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    };
    const stream = client.stream("demo", "hello", { slots, signal: leave.signal, onDisconnect: "continue" });
    const first = stream.next();
    leave.abort(new Error("enough"));
    await expect(first).rejects.toThrow("enough");
    expect([calls, stream.delivery]).toEqual([0, "none"]);
  });
});
