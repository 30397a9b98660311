import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, inject, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { startModel } from "../helpers/model.ts";
import { startAgentProcess } from "../helpers/process.ts";
import { expectUnharmed } from "./goals.ts";
import { beginAttack, measure, startHostileServer } from "./harness.ts";

const model = await startModel();
const agent = await startAgentProcess({ openclawUrl: model.url, agentId: "big" });
const server = await startHostileServer({ agents: [{ id: "big", tenant: "evil", address: agent.address }] });
const forMs = inject("hostileMs");

test.each([
  ["headers that never end", "slowHeaders", 200],
  ["bodies that never end", "slowBodies", 200],
  ["connections that say nothing", "mute", 200],
  ["bodies without an end that nobody wants", "endlessBodies", 20],
  ["connections that come and go", "storms", 50],
  ["watches of health", "watches", 6],
  ["a thousand streams that nobody reads", "stalledStreams", 10],
])("%s leave a good client its calls", async (title, name, peers) => {
  const plan = { title, module: "clients-slow.ts", name, peers, forMs: Math.max(forMs, 2_500) };
  await expectUnharmed(() => measure(server, plan));
  expect(server.alive()).toBe(true);
});

test("while strangers hold all watches that they get, one who is known gets one", async () => {
  const attack = await beginAttack(server, { module: "clients-slow.ts", name: "watches", peers: 6 });
  const health = createClient(Health, createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.port}` }));
  const headers = { authorization: `Bearer ${server.keys["good"]}` };
  for await (const { status } of health.watch({ service: "" }, { headers, timeoutMs: 10_000 })) {
    expect(status).toBe(Status.SERVING);
    break;
  }
  await attack.stop();
});
