import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { type Agent, startAgent } from "../../agent/agent.ts";
import { createLog } from "../../agent/log.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import type { ScriptedModel, ScriptedModelOptions } from "../../dev/model/scripted-model.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer, type ValinorServer } from "../../src/server.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { testStoreUrl } from "../helpers/test-store.ts";

/** Control plane, agents and model of a test, in this process but over real sockets. */
export interface Stack {
  readonly url: string;
  readonly server: ValinorServer;
  readonly model: ScriptedModel;
  readonly proxy: Client<typeof AgentProxy>;
  readonly registry: Client<typeof AgentRegistry>;
  /** Starts an agent and registers it; resolves when it has answered. */
  addAgent(id: string): Promise<Agent>;
}

/** How a stack differs from the usual. */
export interface StackOptions {
  readonly model?: ScriptedModelOptions;
  /** Settings by section and key, as flags have them. */
  readonly proxy?: {
    readonly message_timeout?: number;
    readonly config_timeout?: number;
    readonly ping_timeout?: number;
  };
  /** Without it configurations may hold no secrets. */
  readonly secrets?: { readonly key: string };
}

/** Starts an agent on a free port of loopback; it is killed after the last test of the file. */
export async function startTestAgent(
  id: string,
  modelUrl: string,
  stateDir: string = tempDir(),
): Promise<Agent> {
  const agent = await startAgent({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    openclawUrl: modelUrl,
    openclawToken: undefined,
    token: undefined,
    insecure: true,
    stateDir,
    agentId: id,
    log: createLog(() => {}),
  });
  afterFile(() => agent.kill());
  return agent;
}

/** Starts a stack with the agent `demo`; everything ends after the last test of the file. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const model = await startModel(options.model);
  const { proxy = {}, secrets = {} } = options;
  const flags = { server: { port: 0 }, proxy, secrets, store: { url: await testStoreUrl() } };
  const config = loadConfig({ env: {}, flags, mode: "dev" });
  const server = await startServer(
    { ...config, server: { ...config.server, drainMs: 0 } },
    { logger: pino({ level: "silent" }) },
  );
  afterFile(() => server.close());
  const transport: Transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
  const registry = createClient(AgentRegistry, transport);
  const stack: Stack = {
    url: server.url,
    server,
    model,
    proxy: createClient(AgentProxy, transport),
    registry,
    async addAgent(id) {
      const agent = await startTestAgent(id, model.url);
      await registry.createAgent({ agent: { id, address: agent.address } });
      return agent;
    },
  };
  await stack.addAgent("demo");
  return stack;
}
