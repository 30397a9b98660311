import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type ClientOptions,
  createValinorClient,
  type RetryNotice,
  type Slots,
  type ValinorClient,
} from "../../clients/ts/src/index.ts";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { AgentProxy, type StreamRequest } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";

afterEach(() => void vi.restoreAllMocks());

type Caller = Omit<ClientOptions, "baseUrl" | "transport">;

function clientOf(service: Partial<ServiceImpl<typeof AgentProxy>>, caller: Caller = {}): ValinorClient {
  const transport = createRouterTransport(({ service: add }) => add(AgentProxy, service));
  return createValinorClient({ transport, ...caller });
}

function failure(reason: string, code: Code): ConnectError {
  const value = create(ErrorInfoSchema, { reason, domain: "valinor.dev" });
  return new ConnectError(reason, code, undefined, [{ desc: ErrorInfoSchema, value }]);
}

const cut = (): ConnectError => new ConnectError("cut", Code.Unavailable);
const opened = { event: { case: "opened" as const, value: { requestId: "r", resumable: true, life: "l" } } };
const done = { sequence: 1, event: { case: "done" as const, value: { finishReason: "stop" } } };

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

describe("retries", () => {
  /** A client whose stream is cut `cuts` times after its opening. */
  function cutting(cuts: number): ValinorClient {
    let left = cuts;
    return clientOf({
      async *stream() {
        yield opened;
        if (left-- > 0) throw cut();
        yield done;
      },
    });
  }

  it("are told of, and that they were answered", async () => {
    const told: string[] = [];
    const onRetry = ({ attempt, begun, transient }: RetryNotice) =>
      void told.push(`retry ${attempt} ${begun} ${transient}`);
    await cutting(2).send("demo", "hello", { onRetry, onResumed: () => void told.push("resumed") });
    expect(told).toEqual(["retry 1 true true", "resumed", "retry 2 true true", "resumed"]);
  });

  it("are not made if the caller says no, and the error is the call's", async () => {
    const asked: RetryNotice[] = [];
    const shouldRetry = (notice: RetryNotice) => asked.push(notice) < 2;
    const sending = cutting(9).send("demo", "hello", { shouldRetry });
    await expect(sending).rejects.toMatchObject({ reason: "CONNECTION_LOST" });
    expect(asked.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it("are made after an error that does not pass by itself, if the caller says so", async () => {
    let calls = 0;
    const client = clientOf({
      async *stream() {
        if (calls++ === 0) throw failure("INTERNAL", Code.Internal);
        yield opened;
        yield done;
      },
      getAgentStatus: () => ({ protocol: 2 }),
    });
    const noticed: boolean[] = [];
    const shouldRetry = ({ transient }: RetryNotice) => noticed.push(transient) > 0;
    await client.send("demo", "hello", { shouldRetry });
    expect(noticed).toEqual([false]);
  });

  describe("in a page", () => {
    afterEach(() => void vi.unstubAllGlobals());

    it("are made at once when the network is back", async () => {
      vi.spyOn(Math, "random").mockReturnValue(0.999);
      const network = new EventTarget();
      vi.stubGlobal("addEventListener", network.addEventListener.bind(network));
      vi.stubGlobal("removeEventListener", network.removeEventListener.bind(network));
      const delays: number[] = [];
      const began = performance.now();
      await cutting(6).send("demo", "hello", {
        onRetry({ delayMs }) {
          delays.push(delayMs);
          setImmediate(() => network.dispatchEvent(new Event("online")));
        },
      });
      const planned = delays.reduce((sum, delay) => sum + delay, 0);
      expect(planned).toBeGreaterThan(10_000);
      expect(performance.now() - began).toBeLessThan(planned / 2);
    });
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

describe("who calls", () => {
  const headersOf = async (caller: Caller) => {
    const seen: (string | null)[] = [];
    const note = ({ requestHeader }: { requestHeader: Headers }) =>
      void seen.push(requestHeader.get("authorization"), requestHeader.get("x-valinor-tenant"));
    const client = clientOf(
      {
        getAgentStatus: (_request, context) => (note(context), {}),
        async *stream(_request, context) {
          note(context);
          yield opened;
          yield done;
        },
      },
      caller,
    );
    await client.status("demo");
    await client.send("demo", "hello");
    return seen;
  };

  it("is told to any transport, in every call", async () => {
    expect(await headersOf({ apiKey: "key", tenant: "acme" })).toEqual([
      "Bearer key",
      "acme",
      "Bearer key",
      "acme",
    ]);
    const keys = ["one", "two"];
    expect(await headersOf({ apiKey: () => keys.shift() ?? "" })).toEqual([
      "Bearer one",
      null,
      "Bearer two",
      null,
    ]);
  });

  it("is nobody if the credential is empty", async () => {
    expect(await headersOf({ apiKey: () => "" })).toEqual([null, null, null, null]);
  });

  it("hears which credential was refused, by a call or in a stream", async () => {
    const refused: string[] = [];
    const keys = ["old", "new"];
    const client = clientOf(
      {
        getAgentStatus() {
          throw failure("UNAUTHENTICATED", Code.Unauthenticated);
        },
        async *stream() {
          yield opened;
          throw failure("UNAUTHENTICATED", Code.Unauthenticated);
        },
      },
      { apiKey: () => keys.shift() ?? "", onRefused: (credential) => void refused.push(credential) },
    );
    await expect(client.status("demo")).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
    await expect(client.send("demo", "x")).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
    expect(refused).toEqual(["old", "new"]);
  });

  it("bounds the time of calls that stream nothing, and of no stream", async () => {
    const limits: (number | undefined)[] = [];
    const client = clientOf(
      {
        getAgentStatus: (_request, context) => (limits.push(context.timeoutMs()), {}),
        async *stream(_request, context) {
          limits.push(context.timeoutMs());
          yield opened;
          yield done;
        },
      },
      { callTimeoutMs: 30_000 },
    );
    await client.status("demo");
    await client.status("demo", { timeoutMs: 1_000 });
    await client.send("demo", "x");
    const [general = 0, own = 0, stream] = limits;
    expect(general).toBeGreaterThan(20_000);
    expect(own).toBeLessThanOrEqual(1_000);
    expect(stream).toBeUndefined();
  });
});
