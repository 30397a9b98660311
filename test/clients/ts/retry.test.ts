import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { RetryNotice, ValinorClient } from "../../../clients/ts/src/index.ts";
import { clientOf, cut, done, failure, opened } from "./fake-server.ts";

afterEach(() => void vi.restoreAllMocks());

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
