import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { threadsCpuMs } from "./proc.ts";

/** A server that runs as a program of its own, as an operator starts it. */
export interface ServerProgram {
  readonly pid: number;
  readonly url: string;
  /** From its start until it answered `/readyz`, milliseconds, and CPU until then. */
  readonly readyMs: number;
  readonly readyCpuMs: number;
  /** Bytes of heap that are in use after a full collection; undefined unless it was started with `heap`. */
  heap(): Promise<number>;
  stop(): Promise<void>;
}

/** How to start it. */
export interface ProgramOptions {
  /** Arguments of Node: its options, the file, and the program's own arguments. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Makes `heap` work. */
  readonly heap?: boolean;
}

const READY_MS = 60_000;
const STOP_MS = 15_000;
const top = join(import.meta.dirname, "..");

/** The file that runs `valinor`. */
export const valinor = join(top, "bin/valinor.js");

/** Collects all garbage on SIGUSR2, and tells what is left. */
const REPORTER = `
process.on("SIGUSR2", () => {
  for (let i = 0; i < 5; i++) globalThis.gc();
  process._rawDebug("heap " + process.memoryUsage().heapUsed);
});
`;

/** Starts a server that logs its `url`, and waits until `/readyz` answers. Rejects if it ends before. */
export async function startProgram({ args, env = {}, heap = false }: ProgramOptions): Promise<ServerProgram> {
  const report = ["--expose-gc", "--import", `data:text/javascript,${encodeURIComponent(REPORTER)}`];
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...(heap ? report : []), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pid = child.pid ?? 0;
  let said = "";
  let heard = Promise.withResolvers<number>();
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    const bytes = /^heap (\d+)$/m.exec(text)?.[1];
    if (bytes === undefined) process.stderr.write(text);
    else heard.resolve(Number(bytes));
  });
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`not ready: ${said}`)), READY_MS);
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${said}`)));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-10_000);
      const found = /"url":"([^"]+)"/.exec(said)?.[1];
      if (found === undefined) return;
      clearTimeout(late);
      resolve(found);
    });
  });
  const answer = await fetch(`${url}/readyz`);
  await answer.text();
  return {
    pid,
    url,
    readyMs: performance.now() - startedAt,
    readyCpuMs: threadsCpuMs(pid),
    heap: () => {
      heard = Promise.withResolvers<number>();
      child.kill("SIGUSR2");
      return heard.promise;
    },
    stop: async () => {
      const exited = once(child, "exit");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      child.kill("SIGTERM");
      await exited;
      clearTimeout(timer);
    },
  };
}
