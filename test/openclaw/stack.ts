import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { inject } from "vitest";
import { type Agent, startAgent } from "../../agent/agent.ts";
import { createLog } from "../../agent/log.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { ToolPolicy_Mode } from "../../gen/ts/valinor/v1/types_pb.ts";
import type { ScriptedModel } from "../../dev/model/scripted-model.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { type RealGateway, startGateway } from "./gateway.ts";

/** Everything from a client to the model, with a real OpenClaw in its place. */
export interface RealStack {
  /** Of the control plane. */
  readonly url: string;
  readonly model: ScriptedModel;
  readonly gateway: RealGateway;
  readonly agent: Agent;
  readonly proxy: Client<typeof AgentProxy>;
  /** Log lines of the agent so far. */
  readonly logged: string[];
  /** Pushes a configuration: no tools are every tool. */
  push(config: Record<string, string | number>, tools?: readonly string[]): Promise<Pushed>;
  /** Sends a message and resolves with the reply. */
  say(content: string, conversationId?: string): Promise<string>;
}

/** What became of a push, as far as tests look. */
export interface Pushed {
  readonly applied: boolean;
  readonly reason: string;
}

/** Why the tests of this folder cannot run; undefined if they can. */
export function missing(): string | undefined {
  const openclaw = inject("openclaw");
  return "missing" in openclaw ? openclaw.missing : undefined;
}

/** Starts it; everything ends after the last test of the file. `wordMs`: see ScriptedModelOptions. */
export async function startRealStack(wordMs = 0): Promise<RealStack> {
  const openclaw = inject("openclaw");
  if ("missing" in openclaw) throw new Error(openclaw.missing);
  const model = await startModel({ record: 50, wordMs });
  const gateway = await startGateway(openclaw.program, model.url);
  const config = loadConfig({
    env: {},
    flags: { server: { port: 0 }, store: { url: "sqlite::memory:" } },
    mode: "dev",
  });
  const server = await startServer(
    { ...config, server: { ...config.server, drainMs: 0 } },
    { logger: pino({ level: "silent" }) },
  );
  afterFile(() => server.close());
  const logged: string[] = [];
  const agent = await startAgent({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    openclawUrl: gateway.url,
    openclawToken: gateway.token,
    insecure: true,
    stateDir: tempDir(),
    agentId: "demo",
    bounds: { probeMs: 100 },
    log: createLog((line) => logged.push(line)),
  });
  afterFile(() => agent.kill());
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
  const proxy = createClient(AgentProxy, transport);
  await createClient(AgentRegistry, transport).createAgent({ agent: { id: "demo", address: agent.address } });
  return {
    url: server.url,
    model,
    gateway,
    agent,
    proxy,
    logged,
    async push(wanted, tools) {
      const toolPolicy =
        tools === undefined
          ? { mode: ToolPolicy_Mode.ALL }
          : { mode: ToolPolicy_Mode.LISTED, tools: [...tools] };
      const { applied, reason } = await proxy.pushConfig({ agentId: "demo", config: wanted, toolPolicy });
      return { applied, reason };
    },
    async say(content, conversationId = "") {
      const { content: reply } = await proxy.sendMessage({
        agentId: "demo",
        conversationId,
        message: { content },
      });
      return reply;
    },
  };
}
