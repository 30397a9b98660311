import { connect } from "node:net";
import { once } from "node:events";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, upTo } from "./collect.ts";
import { type Stack, startStack } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

/** Opens an event stream and never reads what comes. */
async function stalledReader(url: string, content: string) {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  await once(socket, "connect");
  socket.pause();
  const query = encodeURIComponent(JSON.stringify({ role: "user", content }));
  socket.write(`GET /agents/demo/stream?message=${query} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  return socket;
}

describe("a reader that stops reading", () => {
  it("costs the host little, and the 31 others of its agent nothing", async () => {
    const quick = () => stack.proxy.sendMessage({ agentId: "demo", message: { content: "!echo quick" } });
    await quick();
    globalThis.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    const stalled = await stalledReader(stack.url, `!bytes ${64 * 1024 * 1024}`);
    const streams = upTo(31).map((n) =>
      collect(stack.proxy.stream({ agentId: "demo", message: { content: `!pace 2 !words ${100 + n}` } })),
    );
    const began = performance.now();
    const results = await Promise.all(streams);
    results.forEach((result, index) => expect(result.sequences).toEqual(upTo(102 + index)));
    // 131 words at 2 ms take a quarter of a second; a stalled neighbour must not add its 30 s.
    expect(performance.now() - began).toBeLessThan(25_000);
    await quick();
    // The whole answer has 64 MiB; this process also holds the agent's journal (4 MiB) and the test's own clients.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(24 * 1024 * 1024);
    stalled.destroy();
  });
});

// Each waits for the 5 s in which a link may come up.
describe.concurrent("an agent that can't be reached", () => {
  it("is AGENT_UNREACHABLE with its address and the cause, and other agents answer", async () => {
    await stack.registry.createAgent({ agent: { id: "gone", address: "tcp://127.0.0.1:9" } });
    const gone = stack.proxy.sendMessage({ agentId: "gone", message: { content: "hello" } });
    const answer = await stack.proxy.sendMessage({ agentId: "demo", message: { content: "!echo here" } });
    expect(answer.content).toContain("here");
    await expect(gone).rejects.toThrow(/tcp:\/\/127\.0\.0\.1:9.*ECONNREFUSED/);
  });

  it("still takes its configuration, and says that it is not applied", async () => {
    await stack.registry.createAgent({ agent: { id: "away", address: "tcp://127.0.0.1:19" } });
    const result = await stack.proxy.pushConfig({ agentId: "away", config: { model: "m" } });
    expect(result).toMatchObject({ revision: 2, applied: false });
    expect(result.reason).toContain("tcp://127.0.0.1:19");
  });
});
