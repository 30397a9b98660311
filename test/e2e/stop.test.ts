import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { pino } from "pino";
import { beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { AgentProxy, OnDisconnect, type StreamRequest } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import type { Agent } from "../../agent/agent.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer, type ValinorServer } from "../../src/server.ts";
import type { ScriptedModel } from "../../dev/model/scripted-model.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { until } from "../helpers/until.ts";
import { startGuest } from "../link/fake-guest.ts";
import { startTestAgent } from "./stack.ts";

/** Longer than any test: what ends by it failed. */
const NEVER_MS = 600_000;

let model: ScriptedModel;
let agent: Agent;
const storePath = join(tempDir(), "valinor.db");

beforeAll(async () => {
  model = await startModel({ wordMs: 10 });
  agent = await startTestAgent("demo", model.url);
  const { server } = await start({ noticeMs: 0, drainMs: 0 });
  const registry = createClient(AgentRegistry, connectTo(server));
  await registry.createAgent({ agent: { id: "demo", address: agent.address } });
  await server.close();
});

/** A control plane over the file's one store. */
async function start(times: { noticeMs: number; drainMs: number }) {
  const flags = { server: { port: 0 }, store: { url: `sqlite:${storePath}` } };
  const config = loadConfig({ env: {}, flags, mode: "dev" });
  const server = await startServer(
    { ...config, server: { ...config.server, ...times } },
    { logger: pino({ level: "silent" }) },
  );
  const hurry = new AbortController();
  const close = () => server.close(hurry.signal);
  afterFile(() => {
    hurry.abort();
    return close();
  });
  return { server, close, hurry: () => hurry.abort() };
}

function connectTo({ url }: ValinorServer): Transport {
  return createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
}

const transports: readonly [name: string, make: (url: string) => Transport][] = [
  ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect over HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
];

interface Reading {
  text: string;
  last: number;
  error: ConnectError | undefined;
  done: boolean;
}

/** Reads a stream; answers what was read so far, and the end. */
function read(
  transport: Transport,
  request: Partial<Omit<StreamRequest, "$typeName" | "message">> & { content?: string },
) {
  const { content, ...rest } = request;
  const reading: Reading = { text: "", last: request.afterSequence ?? 0, error: undefined, done: false };
  const message = content === undefined ? {} : { message: { role: "user", content } };
  const stream = createClient(AgentProxy, transport).stream({ agentId: "demo", ...rest, ...message });
  const ended = (async () => {
    try {
      for await (const { event, sequence } of stream) {
        if (event.case === "textDelta") reading.text += event.value.text;
        if (event.case === "done") reading.done = true;
        if (sequence > 0) reading.last = sequence;
      }
    } catch (error) {
      reading.error = ConnectError.from(error);
    }
  })();
  return { reading, ended };
}

function detailsOf(error: ConnectError | undefined) {
  const [info] = error?.findDetails(ErrorInfoSchema) ?? [];
  const [retry] = error?.findDetails(RetryInfoSchema) ?? [];
  return { reason: info?.reason, metadata: info?.metadata, retry: retry?.retryDelay?.seconds };
}

async function statusOf(url: string, path: string, init: RequestInit = {}) {
  const response = await fetch(url + path, { ...init, headers: { connection: "close" } });
  const body = await response.text();
  return { status: response.status, headers: response.headers, body };
}

const say = (content: string, more: object = {}) => ({
  method: "POST",
  body: JSON.stringify({ content, ...more }),
});

describe("a server that was told to stop", () => {
  it("says for its notice that it is not ready, and does everything still", async () => {
    const { server, close, hurry } = await start({ noticeMs: NEVER_MS, drainMs: NEVER_MS });
    const health = createClient(Health, connectTo(server));
    const told: Status[] = [];
    const watching = (async () => {
      for await (const { status } of health.watch({ service: "" })) told.push(status);
    })().catch((error: unknown) => ConnectError.from(error));
    await until("the watch has begun", () => told.length === 1);
    expect((await statusOf(server.url, "/readyz")).status).toBe(200);
    const closed = close();
    expect((await statusOf(server.url, "/readyz")).status).toBe(503);
    expect((await statusOf(server.url, "/healthz")).status).toBe(200);
    expect((await health.check({ service: "" })).status).toBe(Status.NOT_SERVING);
    await until("the watcher was told", () => told.length === 2);
    expect(told).toEqual([Status.SERVING, Status.NOT_SERVING]);
    const answer = await statusOf(server.url, "/agents/demo/message", say("still there?"));
    expect([answer.status, answer.body]).toEqual([200, expect.stringContaining("still there?")]);
    hurry();
    await closed;
    expect(detailsOf((await watching) ?? undefined)).toMatchObject({ reason: "DRAINING" });
  });

  it("then begins no run, says so on any connection, and lets runs be read and attached to", async () => {
    const { server, close } = await start({ noticeMs: 0, drainMs: NEVER_MS });
    const session = connectHttp2(server.url);
    session.on("error", () => {});
    await once(session, "connect");
    const goaway = once(session, "goaway");
    const transport = connectTo(server);
    const first = read(transport, { content: "!pace 15 !words 80", requestId: "drain-1" });
    await until("the run is under way", () => first.reading.last >= 5);
    const closed = close();
    await goaway;
    const proxy = createClient(AgentProxy, createGrpcTransport({ baseUrl: server.url }));
    const refused = await proxy
      .sendMessage({ agentId: "demo", message: { role: "user", content: "new" } })
      .catch((error: unknown) => ConnectError.from(error));
    expect(detailsOf(refused as ConnectError)).toMatchObject({ reason: "DRAINING", retry: 2n });
    expect(detailsOf(refused as ConnectError).metadata?.["last_sequence"]).toBeUndefined();
    const rest = await statusOf(server.url, "/agents/demo/message", say("new"));
    expect(rest.status).toBe(503);
    expect(rest.headers.get("retry-after")).toBe("2");
    expect(rest.headers.get("connection")).toBe("close");
    expect(rest.body).toContain('"DRAINING"');
    const second = read(createGrpcTransport({ baseUrl: server.url }), { requestId: "drain-1" });
    await Promise.all([first.ended, second.ended]);
    expect(first.reading).toMatchObject({ done: true, error: undefined });
    expect(second.reading).toMatchObject({ done: true, text: first.reading.text });
    await closed;
  });

  it("ends every stream and message that is left with DRAINING and where to go on; the next server does", async () => {
    const before = model.calls;
    const { server, close } = await start({ noticeMs: 0, drainMs: 50 });
    const content = "!pace 15 !words 120";
    const readers = transports.map(([name, make], i) => ({
      name,
      requestId: `end-${i}`,
      // A client that would have its run cancelled when it leaves has not left.
      ...read(make(server.url), { content, requestId: `end-${i}`, onDisconnect: OnDisconnect.CANCEL }),
    }));
    const sse = fetch(`${server.url}/agents/demo/stream`, say(content, { request_id: "end-sse" })).then((r) =>
      r.text(),
    );
    const openai = fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "idempotency-key": "end-openai" },
      body: JSON.stringify({ model: "demo", stream: true, messages: [{ role: "user", content }] }),
    }).then((r) => r.text());
    const unary = createClient(AgentProxy, connectTo(server))
      .sendMessage({ agentId: "demo", requestId: "end-unary", message: { role: "user", content } })
      .catch((error: unknown) => ConnectError.from(error));
    await until(
      "all are under way",
      () => model.calls === before + 7 && readers.every(({ reading }) => reading.last > 3),
    );
    await close();
    await Promise.all(readers.map(({ ended }) => ended));
    for (const { name, requestId, reading } of readers) {
      expect({ name, ...detailsOf(reading.error) }).toEqual({
        name,
        reason: "DRAINING",
        metadata: { agent_id: "demo", request_id: requestId, last_sequence: String(reading.last) },
        retry: 2n,
      });
    }
    expect(detailsOf((await unary) as ConnectError)).toMatchObject({
      reason: "DRAINING",
      metadata: { request_id: "end-unary", last_sequence: expect.stringMatching(/^[0-9]+$/) },
    });
    const last = (await sse).trimEnd().split("\n\n").at(-1) ?? "";
    expect(last).toMatch(/^retry: 2000\nevent: error\ndata: \{"code":"draining",/);
    const data = JSON.parse(last.slice(last.indexOf("{"))) as Record<string, unknown>;
    expect(data).toMatchObject({ reason: "DRAINING", request_id: "end-sse", retry_ms: 2_000 });
    expect(await sse).toContain(`id: end-sse/${String(data["last_sequence"])}\n`);
    expect((await openai).trimEnd().split("\n\n").at(-1)).toContain('"code":"draining"');
    const next = await start({ noticeMs: 0, drainMs: 0 });
    for (const { name, requestId, reading } of readers) {
      const rest = read(connectTo(next.server), { requestId, afterSequence: reading.last });
      await rest.ended;
      expect({ name, ...rest.reading }).toMatchObject({ name, done: true, error: undefined });
      expect((reading.text + rest.reading.text).trim().split(/\s+/)).toHaveLength(120);
    }
    expect(model.calls).toBe(before + 7);
  });

  it("answers in the end also a call that waits for something else than a run", async () => {
    const { server, close } = await start({ noticeMs: 0, drainMs: 50 });
    const guest = await startGuest();
    guest.on["config_update"] = "keep";
    guest.on["context_update"] = "keep";
    const transport = connectTo(server);
    await createClient(AgentRegistry, transport).createAgent({
      agent: { id: "deaf", address: guest.address },
    });
    const push = (send: () => Promise<unknown>) => send().catch((error: unknown) => ConnectError.from(error));
    const rpc = push(() =>
      createClient(AgentProxy, transport).pushConfig({ agentId: "deaf", config: { n: 1 } }),
    );
    const rest = statusOf(server.url, "/agents/deaf/context", {
      method: "POST",
      body: JSON.stringify({ context: "text" }),
    });
    // Time to arrive; it is told to wait for the guest then.
    await sleep(300);
    const began = performance.now();
    await close();
    expect(detailsOf((await rpc) as ConnectError).reason).toBe("DRAINING");
    expect((await rest).body).toContain('"DRAINING"');
    expect(performance.now() - began).toBeLessThan(4_500);
  });

  it("waits for nobody who does not take the end", async () => {
    const { server, close } = await start({ noticeMs: 0, drainMs: 50 });
    const socket = connectSocket(server.port, "127.0.0.1");
    const body = JSON.stringify({ content: "!bytes 50000000" });
    const head = `POST /agents/demo/stream HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n`;
    socket.write(head + body);
    socket.once("data", () => socket.pause());
    await once(socket, "data");
    const began = performance.now();
    await close();
    expect(performance.now() - began).toBeLessThan(15_000);
    socket.destroy();
  });

  it("ends at once, and not without a word, when it is told to hurry", async () => {
    const { server, close, hurry } = await start({ noticeMs: NEVER_MS, drainMs: NEVER_MS });
    const reader = read(connectTo(server), { content: "!pace 15 !words 80", requestId: "hurry-1" });
    await until("the run is under way", () => reader.reading.last > 3);
    const closed = close();
    hurry();
    await Promise.all([closed, reader.ended]);
    expect(detailsOf(reader.reading.error).metadata?.["last_sequence"]).toBe(String(reader.reading.last));
  });
});
