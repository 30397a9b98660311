import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { beforeAll, describe, expect, it } from "vitest";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { collect, upTo } from "./collect.ts";
import { type Stack, startStack } from "./stack.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const buf = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf");
let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run("curl", ["-sS", "-m", "20", ...args]);
  return stdout;
}

describe("curl", () => {
  it("sends a message with Connect JSON", async () => {
    const body = '{"agentId":"demo","message":{"role":"user","content":"!echo hello curl"}}';
    const url = `${stack.url}/valinor.v1.AgentProxy/SendMessage`;
    const answer = JSON.parse(await curl("-H", "content-type: application/json", "-d", body, url)) as unknown;
    expect(answer).toMatchObject({
      content: expect.stringContaining("hello curl") as string,
      finishReason: "stop",
    });
  });

  it("streams server-sent events, the last of them done", async () => {
    const message = 'message={"role":"user","content":"!words 3"}';
    const text = await curl("-N", "-G", "--data-urlencode", message, `${stack.url}/agents/demo/stream`);
    const events = [...text.matchAll(/^event: (.+)\ndata: (.+)$/gm)].map(([, event, data]) => [event, data]);
    expect(events.map(([event]) => event)).toEqual(["chunk", "chunk", "chunk", "chunk", "done"]);
    expect(events.at(-1)).toEqual(["done", "{}"]);
  });

  it("reads the status with a GET", async () => {
    const query = `message=${encodeURIComponent('{"agentId":"demo"}')}&encoding=json&connect=v1`;
    const url = `${stack.url}/valinor.v1.AgentProxy/GetAgentStatus?${query}`;
    const known = {
      connected: true,
      protocol: 2,
      desiredRevision: 1,
      observedRevision: 1,
      openclawKind: "plain",
      openclawKindReason: "it answers /readyz with 404, and not as OpenClaw does",
    };
    await expect
      .poll(async () => JSON.parse(await curl(url)) as unknown, { timeout: 10_000 })
      .toMatchObject(known);
  });
});

describe("buf curl", () => {
  it.each(["connect", "grpc", "grpcweb"])("streams over %s", async (protocol) => {
    const args = [
      "curl",
      "--schema",
      root,
      "--protocol",
      protocol,
      "-d",
      '{"agentId":"demo","message":{"content":"!words 4"}}',
    ];
    if (protocol === "grpc") args.push("--http2-prior-knowledge");
    const { stdout } = await run(
      process.execPath,
      [buf, ...args, `${stack.url}/valinor.v1.AgentProxy/Stream`],
      {
        cwd: root,
      },
    );
    const events = stdout
      .trim()
      .split(/\n(?=\{)/)
      .map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(events.map((event) => event["sequence"] ?? 0)).toEqual([0, ...upTo(5)]);
    expect(events[0]).toHaveProperty("opened");
    expect(events.at(-1)).toHaveProperty("done");
  });
});

const transports: [string, (baseUrl: string) => Transport][] = [
  ["Connect, JSON, HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  [
    "Connect, binary, HTTP/2",
    (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true }),
  ],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web, HTTP/1.1", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
];

describe.each(transports)("the generated TypeScript client over %s", (_, transport) => {
  let client: Client<typeof AgentProxy>;

  beforeAll(() => {
    client = createClient(AgentProxy, transport(stack.url));
  });

  it("sends, streams and resumes", async () => {
    const answer = await client.sendMessage({ agentId: "demo", message: { content: "!echo héllo 🌍" } });
    expect(answer.content).toContain("héllo 🌍");
    const whole = await collect(client.stream({ agentId: "demo", message: { content: "!words 30" } }));
    expect(whole.sequences).toEqual(upTo(31));
    const { requestId } = whole;
    const rest = await collect(client.stream({ agentId: "demo", requestId, afterSequence: 25 }));
    expect(rest.sequences).toEqual(upTo(31).slice(25));
    expect(whole.text.endsWith(rest.text)).toBe(true);
  });

  it("gets tool calls and the end of a failed run in order", async () => {
    const calls: string[] = [];
    await collect(
      client.stream({ agentId: "demo", message: { content: '!tool look {"a":1}' } }),
      ({ event }) => {
        if (event.case === "toolCall") calls.push(event.value.arguments);
      },
    );
    expect(calls).toEqual(['{"a":1}']);
    const failed = collect(client.stream({ agentId: "demo", message: { content: "!fail 503" } }));
    await expect(failed).rejects.toThrow(/503/);
  });
});
