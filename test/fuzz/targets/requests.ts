import { create, type DescMethod, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { Agent, type Dispatcher } from "undici";
import { startAgent } from "../../../agent/agent.ts";
import { createLog } from "../../../agent/log.ts";
import { Health } from "../../../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { AgentProxy } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { startScriptedModel } from "../../../dev/model/scripted-model.ts";
import { loadConfig } from "../../../src/config.ts";
import { restRoutes } from "../../../src/http/api.ts";
import { startServer } from "../../../src/server.ts";
import type { Random } from "../../helpers/random.ts";
import { readJson } from "../frames.ts";
import { mutateBytes, mutateJson, mutateText, pick } from "../mutate.ts";
import { Finding, type Attack, type Target } from "../target.ts";

/** A request of the corpus: the path with `{id}` for the agent's, and the body as JSON. */
interface Seed {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: JsonValue;
}

/** A request as it is sent; an input is one of them as JSON. */
interface Request {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly type: string;
  /** Base64. */
  readonly body: string;
}

const methods = new Map<string, DescMethod>(
  [AgentProxy, AgentRegistry, Health, ServerReflection].flatMap((service) =>
    service.methods.map((method) => [`/${service.typeName}/${method.name}`, method] as const),
  ),
);

/** How long one request may take: watches, and streams of a run that waits, are left after it. */
const CALL_MS = 250;

/** Requests to every RPC and REST route of a control plane with an agent behind it: none of them is answered as our own mistake. */
export const requests: Target = {
  name: "requests",
  weight: 2,
  async open() {
    const seeds = readJson("corpus/requests.json") as Seed[];
    checkCoverage(seeds);
    const stack = await startStack();
    const client = new Agent({ connections: 4, pipelining: 1, bodyTimeout: 5_000, headersTimeout: 5_000 });
    let count = 0;
    const attack: Attack = {
      make: (random) => Buffer.from(JSON.stringify(makeRequest(seeds, random))),
      async run(input) {
        await send(client, stack.url, JSON.parse(input.toString()) as Request);
        stack.check();
        if (++count % 100 === 0) await callWell(client, stack.url);
        return 1;
      },
      async close() {
        await client.destroy();
        await stack.close();
      },
    };
    await callWell(client, stack.url);
    return attack;
  },
};

/** Every RPC and route must have a seed: a new one is attacked from its first day on. */
function checkCoverage(seeds: readonly Seed[]): void {
  const given = seeds.map(({ path }) => path.replace(/\?.*/, ""));
  const routes = restRoutes.map(({ path }) => path.replace(":id", "{id}"));
  const missing = [...methods.keys(), ...routes].filter((path) => !given.includes(path));
  if (missing.length > 0)
    throw new Error(`test/fuzz/corpus/requests.json has no request for ${missing.join(", ")}`);
}

function makeRequest(seeds: readonly Seed[], random: Random): Request {
  const seed = pick(seeds, random);
  const method = methods.get(seed.path);
  let path = seed.path.replace(
    "{id}",
    random.chance(0.9) ? "demo" : encodeURIComponent(mutateText("demo", random).toWellFormed()),
  );
  if (path.includes("?") && random.chance(0.7))
    path = encodeURI(mutateText(path, random).toWellFormed()).replaceAll("#", "%23");
  if (!path.startsWith("/")) path = `/${path}`;
  const { method: verb } = seed;
  if (seed.body === undefined) return { method: verb, path, type: "application/json", body: "" };
  const value = random.chance(0.9) ? mutateJson(seed.body, random) : seed.body;
  const json = Buffer.from(JSON.stringify(value));
  if (method === undefined)
    return { method: verb, path, type: "application/json", body: maybeBroken(json, random) };
  const streams = method.methodKind !== "unary";
  const kind = random.below(5);
  if (kind === 4 && method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS)
    return { method: "GET", path: `${path}?${queryOf(method, value, json, random)}`, type: "", body: "" };
  if (kind === 0) {
    const body = maybeBroken(binaryOf(method, value, random), random, 0.7);
    if (streams)
      return { method: verb, path, type: "application/connect+proto", body: enveloped(body, random) };
    return { method: verb, path, type: "application/proto", body };
  }
  if (kind === 1) {
    const body = maybeBroken(binaryOf(method, value, random), random, 0.7);
    return { method: verb, path, type: "application/grpc-web+proto", body: enveloped(body, random) };
  }
  const body = maybeBroken(json, random);
  return streams
    ? { method: verb, path, type: "application/connect+json", body: enveloped(body, random) }
    : { method: verb, path, type: "application/json", body };
}

/** A message in the query, as Connect's GET has it; now and then with a parameter that is broken. */
function queryOf(method: DescMethod, value: unknown, json: Buffer, random: Random): string {
  const binary = random.chance(0.5);
  const message = maybeBroken(binary ? binaryOf(method, value, random) : json, random, 0.5);
  const query = {
    connect: "v1",
    encoding: binary ? "proto" : "json",
    base64: "1",
    message: random.chance(0.1) ? mutateText(message, random).toWellFormed() : message,
    ...(random.chance(0.1) && { compression: pick(["gzip", "br", "identity", "none"], random) }),
  };
  return new URLSearchParams(query).toString();
}

function binaryOf(method: DescMethod, value: unknown, random: Random): Buffer {
  try {
    return Buffer.from(toBinary(method.input, fromJson(method.input, value as JsonValue)));
  } catch {
    // What the schema does not hold has no binary form: an empty message, or a few bytes, stand for it.
    const empty = toBinary(method.input, create(method.input));
    return mutateBytes(Buffer.concat([empty, Buffer.from([10, 4, 100, 101, 109, 111])]), random);
  }
}

function maybeBroken(bytes: Buffer, random: Random, chance = 0.15): string {
  return (random.chance(chance) ? mutateBytes(bytes, random) : bytes).toString("base64");
}

/** A message with the length in front of it, as streams have them; now and then with another one, or flags that mean nothing. */
function enveloped(body: string, random: Random): string {
  const bytes = Buffer.from(body, "base64");
  const head = Buffer.alloc(5);
  head.writeUInt8(random.chance(0.05) ? random.below(256) : 0);
  head.writeUInt32BE(random.chance(0.05) ? random.below(0xffff_ffff) : bytes.length, 1);
  return Buffer.concat([head, bytes]).toString("base64");
}

async function send(client: Dispatcher, url: string, { method, path, type, body }: Request): Promise<void> {
  let status: number;
  let text = "";
  try {
    const response = await client.request({
      origin: url,
      path,
      method,
      headers: { ...(body === "" ? {} : { "content-type": type }), "connect-timeout-ms": "200" },
      ...(method === "GET" ? {} : { body: Buffer.from(body, "base64") }),
      signal: AbortSignal.timeout(CALL_MS),
    });
    status = response.statusCode;
    for await (const piece of response.body) if (text.length < 65_536) text += String(piece);
  } catch (error) {
    // A stream or watch that goes on, or a connection that was closed for what came over it.
    if (
      error instanceof Error &&
      /aborted|timeout|other side closed|ECONNRESET|EPIPE|socket/i.test(`${error.name} ${error.message}`)
    )
      return;
    throw error;
  }
  if (status === 500 && !/AGENT_ERROR|CONFIG_REJECTED/.test(text))
    throw new Finding(`${method} ${path} is answered ${status} ${text.slice(0, 2_000)}`);
}

/** A call that does everything right. */
async function callWell(client: Dispatcher, url: string): Promise<void> {
  const response = await client.request({
    origin: url,
    path: "/agents/good/message",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"content":"good morning"}',
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.body.text();
  if (response.statusCode !== 200 || !text.includes("good morning"))
    throw new Finding(`a good call is answered ${response.statusCode} ${text.slice(0, 500)}`);
}

/** A control plane with two agents. `check` throws if it has logged an error of its own. */
async function startStack(): Promise<{ url: string; check: () => void; close: () => Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), "valinor-fuzz-"));
  const model = await startScriptedModel();
  const agents = await Promise.all(
    ["demo", "good"].map((id) =>
      startAgent({
        address: { kind: "tcp", host: "127.0.0.1", port: 0 },
        openclawUrl: model.url,
        insecure: true,
        stateDir: join(dir, id),
        agentId: id,
        log: createLog(() => {}),
      }),
    ),
  );
  const config = loadConfig({
    env: {},
    flags: { server: { port: 0 }, store: { url: `sqlite:${join(dir, "valinor.db")}` } },
    mode: "dev",
  });
  const problems: unknown[] = [];
  const logger = pino({ level: "error" }, { write: (line: string) => void problems.push(line) });
  const server = await startServer(
    {
      ...config,
      server: { ...config.server, drainMs: 0 },
      agents: agents.map(({ address }, at) => ({
        tenant: "default",
        id: ["demo", "good"][at] as string,
        address,
        vsockCid: 0,
        status: "RUNNING" as const,
      })),
    },
    { logger },
  );
  return {
    url: server.url,
    check() {
      if (problems.length > 0)
        throw new Finding(`the control plane logged: ${problems.join("").slice(0, 4_000)}`);
    },
    async close() {
      await server.close();
      for (const agent of agents) agent.kill();
      await model.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
