import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { AgentStatus, ToolPolicy_Mode } from "../../gen/ts/valinor/v1/types_pb.ts";

const bin = join(import.meta.dirname, "../../bin");

/** What is to be looked at. */
export interface Scene {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `valinor dev` with a few more agents: one that runs, one whose machine is away, one that is stopped, one being made. */
export async function startScene(data: string): Promise<Scene> {
  const processes: ChildProcess[] = [];
  const stop = async () => {
    for (const child of processes) {
      if (child.exitCode !== null) continue;
      child.kill("SIGTERM");
      await once(child, "close");
    }
  };
  try {
    const dev = start(processes, ["valinor.js", "dev", "--port", "0", "--data", data]);
    const [, url = "", model = ""] = await said(dev, /ready at (\S+), with .* model is at (\S+)\./);
    const flags = ["--transport", "tcp", "--host", "127.0.0.1", "--port", "0", "--openclaw-url", model];
    flags.push("--token-file", join(data, "link-token"), "--agent-id", "mail-sorter");
    flags.push("--state-dir", join(data, "mail-sorter"));
    const agent = start(processes, ["valinor-agent.js", ...flags]);
    const [, address = ""] = await said(agent, /valinor-agent listening on (\S+)/);
    await fill(url, address);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fill(url: string, address: string): Promise<void> {
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  const registry = createClient(AgentRegistry, transport);
  const proxy = createClient(AgentProxy, transport);
  const away = "tcp://127.0.0.1:9";
  await registry.createAgent({ agent: { id: "mail-sorter", address } });
  await registry.createAgent({ agent: { id: "night-watch", address: away } });
  await registry.createAgent({ agent: { id: "release-notes", status: AgentStatus.STOPPED } });
  await registry.createAgent({ agent: { id: "research-eu-2", status: AgentStatus.PROVISIONING } });
  const base = { model: "scripted-1", temperature: 0.2 };
  await proxy.pushConfig({ agentId: "demo", config: { ...base, system_prompt: "Be brief." } });
  await proxy.pushConfig({
    agentId: "demo",
    config: {
      ...base,
      temperature: 0.7,
      system_prompt: "Be brief, and say where it stands.",
      search_key: "secret:mellon",
    },
    toolPolicy: { mode: ToolPolicy_Mode.LISTED, tools: ["read_file", "search"] },
  });
  await proxy.pushConfig({ agentId: "mail-sorter", config: { temperature: "warm" } });
}

function start(processes: ChildProcess[], [program = "", ...args]: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [join(bin, program), ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  processes.push(child);
  return child;
}

/** Waits until a program's output matches; at most 20 s. */
async function said(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let text = "";
  const signal = AbortSignal.timeout(20_000);
  for (;;) {
    if (child.stdout === null) throw new Error("the program has no output");
    const [chunk] = (await once(child.stdout, "data", { signal })) as [Buffer];
    text += chunk.toString();
    const match = pattern.exec(text);
    if (match !== null) return match;
  }
}
