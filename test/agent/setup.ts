import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Agent, type AgentOptions, startAgent } from "../../agent/agent.ts";
import { createLog } from "../../agent/log.ts";
import { configDigest } from "../../protocol/wire/digest.ts";
import { connectHost, type FakeHost } from "./fake-host.ts";
import { type FakeModel, startModel } from "./fake-model.ts";

/** An agent with a model behind it and hosts in front, ended with the test. */
export interface Setup {
  readonly model: FakeModel;
  readonly agent: Agent;
  /** A host that has been let in. */
  readonly host: FakeHost;
  /** Log lines so far. */
  readonly logged: string[];
  /** Another one. */
  readonly connect: () => Promise<FakeHost>;
}

type Options = Partial<AgentOptions> & { readonly ready?: number };

export async function setup(options: Options = {}): Promise<Setup> {
  const model = await startModel();
  onTestFinished(() => model.close());
  model.ready = options.ready ?? 404;
  const logged: string[] = [];
  const agent = await launch(model, { log: createLog((line) => logged.push(line)), ...options });
  const connect = () => letIn(agent);
  return { model, agent, logged, host: await connect(), connect };
}

/** Starts an agent for a model. */
export async function launch(model: FakeModel, options: Options = {}): Promise<Agent> {
  const { ready: _, ...rest } = options;
  const agent = await startAgent({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    openclawUrl: model.url,
    insecure: rest.token === undefined,
    log: createLog(() => {}),
    ...rest,
  });
  onTestFinished(() => agent.kill());
  return agent;
}

/** Connects a host and says hello. */
export async function letIn(agent: Agent, token = ""): Promise<FakeHost> {
  const host = await connectHost(agent.address);
  onTestFinished(() => host.close());
  await host.link.take();
  await host.greet(token);
  return host;
}

/** A directory that is gone after the test. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "valinor-agent-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Payload of a config_update with its digest. */
export function configUpdate(revision: number, config: object, tools?: string[]): object {
  const policy = { mode: tools === undefined ? ("all" as const) : ("listed" as const), tools: tools ?? [] };
  return { config, tool_allowlist: [], tool_policy: policy, revision, sha256: configDigest(config, policy) };
}

/** Payload of a message of a user. */
export function userSays(content: string, more: object = {}): object {
  return { role: "user", content, ...more };
}

/** Resolves when the condition holds, after a turn of the event loop for each look. For what sends no sign of itself. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
