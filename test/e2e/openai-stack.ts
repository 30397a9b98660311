import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { makeApiKey } from "../../src/auth/api-key.ts";
import { defaultRoles } from "../../src/auth/roles.ts";
import type { ScriptedModel } from "../../dev/model/scripted-model.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { startTestAgent } from "./stack.ts";

/** A server with API keys, an agent `demo` and its model, for OpenAI's official clients. */
export interface OpenAIStack {
  /** With `/v1`. */
  readonly baseURL: string;
  readonly model: ScriptedModel;
  /** A new key of the tenant, with a subject and so with runs of its own. */
  key(role: "viewer" | "operator"): Promise<string>;
  readonly proxy: Client<typeof AgentProxy>;
}

/** Runs that a key may have at once. */
export const KEY_RUNS = 3;

/** Starts it; everything ends after the last test of the file. */
export async function startOpenAIStack(): Promise<OpenAIStack> {
  const model = await startModel({ record: 2 });
  const path = join(tempDir(), "valinor.db");
  const flags = { server: { port: 0 }, store: { url: `sqlite:${path}` } };
  const config = loadConfig({ env: {}, flags, mode: "serve" });
  const server = await startServer(
    {
      ...config,
      server: { ...config.server, drainMs: 0 },
      auth: { apiKeys: true, issuers: [], required: true },
      quotas: { ...config.quotas, keyRuns: KEY_RUNS },
    },
    { logger: pino({ level: "silent" }) },
  );
  afterFile(() => server.close());
  const store = await openSqliteStore(path);
  afterFile(() => store.close());

  let subjects = 0;
  const addKey = async (role: string) => {
    const { id, text, sha256 } = makeApiKey();
    const permissions = defaultRoles[role] ?? [];
    const key = { id, tenant: "acme", subject: `s${++subjects}`, permissions, sha256, label: "" };
    await store.createKey({ ...key, expireTime: undefined }, { subject: "test", credential: "cli" });
    return text;
  };
  const headers = { authorization: `Bearer ${await addKey("platform")}` };
  const transport = createConnectTransport({
    baseUrl: server.url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        request.header.set("authorization", headers.authorization);
        return next(request);
      },
    ],
  });
  const agent = await startTestAgent("demo", model.url);
  await createClient(AgentRegistry, transport).createAgent({ agent: { id: "demo", address: agent.address } });
  return {
    baseURL: `${server.url}/v1`,
    model,
    key: addKey,
    proxy: createClient(AgentProxy, transport),
  };
}
