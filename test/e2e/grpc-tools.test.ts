import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { AgentStatus } from "../../gen/ts/valinor/v1/types_pb.ts";
import { until } from "../helpers/until.ts";
import { reasonToSkipGo } from "./go/client.ts";
import { type Stack, startStack } from "./stack.ts";

const run = promisify(execFile);
const bin = join(import.meta.dirname, "../../node_modules/.bin");

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

describe("buf curl without a schema at hand", () => {
  const buf = (...args: string[]) =>
    run(join(bin, "buf"), ["curl", "--http2-prior-knowledge", "--protocol", "grpc", "--reflect", ...args]);

  test("lists the services' methods", async () => {
    const { stdout } = await buf("--list-methods", stack.url);
    expect(stdout.split("\n")).toEqual(
      expect.arrayContaining([
        "valinor.v1.AgentProxy/Stream",
        "valinor.v1.AgentRegistry/WatchAgents",
        "grpc.health.v1.Health/Check",
      ]),
    );
  });

  test.each(["grpc-v1", "grpc-v1alpha"])("sends a message by reflection %s", async (protocol) => {
    const body = JSON.stringify({ agent_id: "demo", message: { content: "!echo by reflection" } });
    const url = `${stack.url}/valinor.v1.AgentProxy/SendMessage`;
    const { stdout } = await buf("--reflect-protocol", protocol, "-d", body, url);
    expect(JSON.parse(stdout)).toMatchObject({ content: expect.stringContaining("by reflection") as string });
  });
});

const skip = reasonToSkipGo();
const note = skip === undefined ? "" : ` (skipped: ${skip})`;

describe.skipIf(skip !== undefined)(`grpcurl${note}`, () => {
  const address = () => new URL(stack.url).host;
  const grpcurl = async (...args: string[]) => {
    const cwd = join(import.meta.dirname, "grpcurl");
    const { stdout } = await run("go", ["tool", "grpcurl", "-plaintext", ...args], { cwd });
    return stdout;
  };

  // The first call builds it.
  beforeAll(() => grpcurl(address(), "list"), 300_000);

  test("lists and describes the services", async () => {
    expect(await grpcurl(address(), "list")).toContain("valinor.v1.AgentProxy\n");
    expect(await grpcurl(address(), "describe", "valinor.v1.AgentProxy.Stream")).toContain(
      "returns ( stream .valinor.v1.StreamResponse )",
    );
  });

  test("streams an answer", async () => {
    const body = JSON.stringify({ agent_id: "demo", message: { content: "!words 3" } });
    const text = await grpcurl("-d", body, address(), "valinor.v1.AgentProxy/Stream");
    expect(text).toContain('"textDelta"');
    expect(text).toContain('"finishReason": "stop"');
  });

  test("asks for an agent's health", async () => {
    const body = JSON.stringify({ service: "agents/demo" });
    expect(await grpcurl("-d", body, address(), "grpc.health.v1.Health/Check")).toContain("SERVING");
  });
});

describe("grpc.health.v1", () => {
  const client = () => createClient(Health, createGrpcTransport({ baseUrl: stack.url }));
  const check = async (service: string) => (await client().check({ service })).status;

  test("says that the server and its services take requests", async () => {
    expect(await check("")).toBe(Status.SERVING);
    expect(await check("valinor.v1.AgentProxy")).toBe(Status.SERVING);
  });

  test("does not know other services, nor agents that do not exist", async () => {
    await expect(check("valinor.v1.Nothing")).rejects.toMatchObject({
      rawMessage: expect.any(String) as string,
      code: 5,
    });
    await expect(check("agents/nobody")).rejects.toMatchObject({ code: 5 });
  });

  test("follows an agent whose machine is stopped and started", async () => {
    await stack.addAgent("probed");
    const seen: Status[] = [];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    void (async () => {
      const watch = client().watch({ service: "agents/probed" }, { signal: stop.signal });
      for await (const { status } of watch) seen.push(status);
    })().catch(() => {});
    await until("it serves", () => seen.at(-1) === Status.SERVING);
    const change = (status: AgentStatus) => stack.registry.updateAgent({ agent: { id: "probed", status } });
    await change(AgentStatus.STOPPED);
    await until("it does not serve", () => seen.at(-1) === Status.NOT_SERVING);
    await change(AgentStatus.RUNNING);
    await until("it serves again", () => seen.at(-1) === Status.SERVING);
    expect(seen.filter((status) => status === Status.SERVING)).toHaveLength(2);
  });
});
