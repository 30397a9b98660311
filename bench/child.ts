import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { ChildMessage, Sample } from "./control.ts";

/** A process that the benchmark started. */
export interface Child {
  /** Ports that it listens on. */
  readonly ports: readonly number[];
  /** Asks for a sample. The script may know other words to ask by (bench/idle-guests.ts). */
  sample(word?: string): Promise<Sample>;
  /** Ends it: asks, and kills it by its pid after 5 s. */
  stop(): Promise<void>;
}

/** How to start a process. */
export interface ChildOptions {
  /** File of this folder. */
  readonly script: string;
  /** Its argument; goes through JSON. */
  readonly argument: unknown;
  /** CPU core to pin it to; undefined: none. */
  readonly core: number | undefined;
  /** Further options for Node. */
  readonly nodeOptions?: readonly string[];
}

const START_MS = 60_000;
const ANSWER_MS = 60_000;
const STOP_MS = 5_000;

/** Starts a process and waits until it is ready. Rejects if it ends before, or is not ready within a minute. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { script, argument, core, nodeOptions = [] } = options;
  const node = [
    process.execPath,
    ...nodeOptions,
    join(import.meta.dirname, script),
    JSON.stringify(argument),
  ];
  const command = core === undefined ? node : ["taskset", "-c", String(core), ...node];
  const child = spawn(command[0] ?? "", command.slice(1), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  try {
    const first = await nextMessage(child, script, START_MS);
    return {
      ports: "ready" in first ? first.ready : [],
      sample: async (word = "sample") => {
        child.send(word);
        const message = await nextMessage(child, script, ANSWER_MS);
        if (!("sample" in message)) throw new Error(`${script} answered without a sample`);
        return message.sample;
      },
      stop: () => stop(child),
    };
  } catch (error) {
    await stop(child);
    throw error;
  }
}

async function nextMessage(child: ChildProcess, script: string, ms: number): Promise<ChildMessage> {
  const done = new AbortController();
  const { signal } = done;
  try {
    const ended = once(child, "exit", { signal }).then(([code]) => {
      throw new Error(`${script} ended with ${code}`);
    });
    const late = once(AbortSignal.timeout(ms), "abort", { signal }).then(() => {
      throw new Error(`${script} said nothing for ${ms / 1000} s`);
    });
    const message = once(child, "message", { signal }).then(([value]) => value as ChildMessage);
    return await Promise.race([message, ended, late]);
  } finally {
    done.abort();
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  if (child.connected) child.disconnect();
  await exited;
  clearTimeout(timer);
}
