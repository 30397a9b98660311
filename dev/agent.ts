import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CliError, within } from "@valinor/cli/internal";
import { monotonicNow, longestPauseMs } from "@valinor/protocol";

/** Time the agent has to say that it listens. */
const START_MS = 15_000;
/** Time the agent has to stop before it is ended. */
const STOP_MS = 3_000;
/** Pauses between restarts grow from the first to the last, and start again from the first after an agent that lived for a minute. */
const PACE = { firstMs: 200, longestMs: 5_000 };
const HEALTHY_MS = 60_000;

/** Where the agent's program and its watch on this process are, in the repository and in a build alike. */
const suffix = import.meta.url.endsWith(".ts") ? "ts" : "js";
const watchUrl = new URL(`./parent-watch.${suffix}`, import.meta.url).href;
const root = import.meta.url.endsWith(".ts") ? "../" : "../../";
const program = fileURLToPath(new URL(`${root}bin/valinor-agent.js`, import.meta.url));

/** How to run the agent. */
export interface DevAgentOptions {
  /** Its flags, `--port` with a real port included. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Takes each line of its log. */
  readonly log: (line: string) => void;
  /** Takes what happens to the process itself. */
  readonly notice: (text: string, level: "info" | "warn") => void;
}

/** A `valinor-agent` process that is kept running. */
export interface DevAgent {
  /** Stops it, with SIGTERM and after 3 s with SIGKILL. */
  stop(): Promise<void>;
}

/**
 * Starts `valinor-agent` and waits until it listens; afterwards it is started again whenever it ends. Rejects with CliError
 * if the first start fails.
 */
export async function startDevAgent(options: DevAgentOptions): Promise<DevAgent> {
  const stopping = new AbortController();
  let child = launch(options);
  try {
    await listening(child);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const supervised = (async (): Promise<void> => {
    for (let failures = 0, startedAt = monotonicNow(); ; failures++) {
      const how = await ended(child);
      if (stopping.signal.aborted) return;
      if (monotonicNow() - startedAt > HEALTHY_MS) failures = 0;
      const pause = longestPauseMs(PACE, failures);
      options.notice(`the agent ended (${how}); it starts again in ${pause} ms`, "warn");
      // An abort ends the pause early, which the next line sees.
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
      startedAt = monotonicNow();
      child = launch(options);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      child.kill("SIGTERM");
      if (!(await within(STOP_MS, supervised))) child.kill("SIGKILL");
      await supervised;
    },
  };
}

function launch(options: DevAgentOptions): ChildProcess & { stdout: Readable } {
  const child = spawn(process.execPath, ["--import", watchUrl, program, ...options.flags], {
    env: { ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own: Ctrl-C is for this process, which stops the agent once the streams through it are closed.
    detached: true,
  });
  // Without a listener a write error on the pipe, or a failed spawn, would end this process; "close" tells of both.
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  createInterface({ input: child.stderr }).on("line", options.log);
  child.stdout.resume();
  if (child.pid !== undefined) options.notice(`the agent runs as process ${child.pid}`, "info");
  return child;
}

async function listening(child: ChildProcess & { stdout: Readable }): Promise<void> {
  const lines = createInterface({ input: child.stdout });
  const line = new Promise<void>((resolve, reject) => {
    lines.on("line", (text) => text.startsWith("valinor-agent listening on ") && resolve());
    child.once("close", (code, signal) =>
      reject(new CliError(`the agent ended before it listened (${signal ?? `exit code ${code}`})`)),
    );
    child.once("error", (error) => reject(new CliError(`cannot start the agent: ${error.message}`)));
  });
  if (!(await within(START_MS, line)))
    throw new CliError(`the agent did not listen within ${START_MS / 1000} s`);
}

async function ended(child: ChildProcess): Promise<string> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  return child.signalCode ?? `exit code ${child.exitCode}`;
}
