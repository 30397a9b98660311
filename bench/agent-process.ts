import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { AgentVariant } from "./agent-variants.ts";
import { threadsCpuMs } from "./proc.ts";

/** An agent that listens. */
export interface AgentProcess {
  readonly pid: number;
  readonly port: number;
  /** From the start of the program to its listening line, milliseconds: time, and CPU of all its threads. */
  readonly listeningMs: number;
  readonly listeningCpuMs: number;
  /** Kills it; resolves when it is gone. */
  stop(): Promise<void>;
}

const START_MS = 15_000;

/** Starts an agent on a free port of loopback; `core` pins it. Rejects if it does not listen within 15 s. */
export async function startAgentProcess(
  variant: AgentVariant,
  modelUrl: string,
  core: number | undefined,
): Promise<AgentProcess> {
  const flags = ["--transport", "tcp", "--port", "0", "--insecure", "--openclaw-url", modelUrl];
  const pin = core === undefined ? [] : ["taskset", "-c", String(core)];
  const command = [...pin, ...variant.command, ...(variant.answers ? flags : [])];
  const began = performance.now();
  const child = spawn(command[0] ?? "", command.slice(1), { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const port = await listening(child);
    const listeningMs = performance.now() - began;
    const pid = child.pid ?? 0;
    return { pid, port, listeningMs, listeningCpuMs: threadsCpuMs(pid), stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

async function listening(child: ChildProcess): Promise<number> {
  const late = AbortSignal.timeout(START_MS);
  let said = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(child, "exit", { signal: late }).then(([code]) => {
    throw new Error(`the agent ended with ${code}`);
  });
  for (;;) {
    const found = /listening on tcp:\/\/127\.0\.0\.1:(\d+)/.exec(said);
    if (found !== null) {
      ended.catch(() => {});
      return Number(found[1]);
    }
    await Promise.race([once(child.stdout ?? child, "data", { signal: late }), ended]);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
