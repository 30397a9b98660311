import { pino } from "pino";
import { expect, it } from "vitest";
import { loadConfig } from "../src/config.ts";
import { seed } from "../src/seed.ts";
import { MAX_CREATED, StoreError } from "../src/store/store.ts";
import { openTestStore } from "./helpers/test-store.ts";

const base = loadConfig({ env: {}, mode: "serve" });
const agent = (id: string, address: string) =>
  ({ tenant: "acme", id, status: "RUNNING", vsockCid: 0, address }) as const;

/** A logger, and the texts of its lines. */
function logging() {
  const lines: string[] = [];
  const write = (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg);
  return { logger: pino({}, { write }), lines };
}

it("creates the agents that are missing, and leaves those that exist as they are", async () => {
  const store = await openTestStore();
  const { logger, lines } = logging();
  const [a, b] = [agent("a", "tcp://127.0.0.1:1"), agent("b", "tcp://127.0.0.1:2")];
  await seed({ ...base, agents: [a] }, store, logger);
  await seed({ ...base, agents: [{ ...a, address: "tcp://127.0.0.1:9" }, b] }, store, logger);
  expect(await store.getAgent(a)).toMatchObject({ address: a.address });
  expect(await store.getAgent(b)).toMatchObject({ address: b.address });
  expect(lines).toEqual(Array(2).fill("agent created from the configuration"));
});

it("logs an agent that can't be created, and creates the others", async () => {
  const store = await openTestStore();
  const { logger, lines } = logging();
  const agents = [agent("a", "tcp://127.0.0.1:1"), agent("b", "tcp://127.0.0.1:1"), agent("c", "")];
  await seed({ ...base, agents }, store, logger);
  expect(lines).toEqual([
    "agent created from the configuration",
    "agent not created",
    "agent created from the configuration",
  ]);
});

it("creates agents of several batches, each with an entry in the audit log, and is silent about those that exist", async () => {
  const store = await openTestStore();
  const { logger, lines } = logging();
  const many = Array.from({ length: 2 * MAX_CREATED + 1 }, (_, index) =>
    agent(`a${index}`, `tcp://127.0.0.1:${index + 1}`),
  );
  const doubled = agent("x", "tcp://127.0.0.1:1");
  await seed({ ...base, agents: [...many, doubled] }, store, logger);
  expect(await store.allAgents({ limit: 5_000 })).toHaveLength(many.length);
  const entries = await store.listAudit({ after: 0, limit: 5_000 });
  expect(entries).toHaveLength(many.length);
  expect(entries.at(-1)).toMatchObject({
    action: "agent.create",
    subject: "config",
    agentId: `a${many.length - 1}`,
    detail: { status: "RUNNING", vsock_cid: 0, address: `tcp://127.0.0.1:${many.length}` },
  });
  expect(lines.filter((line) => line === "agent not created")).toHaveLength(1);
  const before = lines.length;
  await seed({ ...base, agents: many }, store, logger);
  expect(lines).toHaveLength(before);
});

it("gives up if the store does not answer", async () => {
  const store = await openTestStore();
  const away = { ...store, createAgents: () => Promise.reject(new StoreError("unavailable", "it failed")) };
  const { logger } = logging();
  await expect(seed({ ...base, agents: [agent("a", "")] }, away, logger)).rejects.toThrow("it failed");
});
