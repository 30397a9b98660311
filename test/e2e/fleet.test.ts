import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { until } from "../helpers/until.ts";
import { upTo } from "./collect.ts";
import { startTestAgent } from "./stack.ts";

describe("64 agents declared in a file", () => {
  it("are created once, each answers for itself, and changes made since survive a restart", async () => {
    const model = await startModel();
    const names = upTo(64).map((n) => `agent-${n}`);
    const agents = await Promise.all(names.map((id) => startTestAgent(id, model.url)));
    const dir = tempDir();
    const file = join(dir, "valinor.yaml");
    const entries = names.map((id, index) => `  - id: ${id}\n    address: ${agents[index]?.address}\n`);
    writeFileSync(
      file,
      `server:\n  port: 0\n  drain_seconds: 0\nstore:\n  url: sqlite:${dir}/v.db\nagents:\n${entries.join("")}`,
    );

    const start = async () => {
      const server = await startServer(loadConfig({ file, env: {}, mode: "serve" }), {
        logger: pino({ level: "silent" }),
      });
      afterFile(() => server.close());
      const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
      return {
        server,
        proxy: createClient(AgentProxy, transport),
        registry: createClient(AgentRegistry, transport),
      };
    };

    const first = await start();
    await until(
      "every agent is connected",
      async () => {
        const { agents: all } = await first.registry.listAgents({ pageSize: 100 });
        return all.length === 64 && all.every(({ liveness }) => liveness?.connected);
      },
      25_000,
    );
    const answers = await Promise.all(
      names.map((agentId) =>
        first.proxy.sendMessage({ agentId, message: { content: `!echo I am ${agentId}` } }),
      ),
    );
    expect(answers.map((answer) => answer.content.trim())).toEqual(names.map((id) => `I am ${id}`));
    expect(await first.proxy.pushConfig({ agentId: "agent-7", config: { model: "m" } })).toMatchObject({
      revision: 2,
      applied: true,
    });
    await first.server.close();

    const second = await start();
    const listed: string[] = [];
    for (let pageToken = "", more = true; more; more = pageToken !== "") {
      const page = await second.registry.listAgents({ pageSize: 30, pageToken });
      listed.push(...page.agents.map((agent) => agent.id));
      pageToken = page.nextPageToken;
    }
    expect(listed).toEqual(names.toSorted());
    expect((await second.registry.getAgent({ agentId: "agent-7" })).agent).toMatchObject({
      configRevision: 2,
    });
    const answer = await second.proxy.sendMessage({
      agentId: "agent-7",
      message: { content: "!echo again" },
    });
    expect(answer.content).toContain("again");
  });
});
