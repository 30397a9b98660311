import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterFile } from "../../helpers/cleanup.ts";

const bin = join(import.meta.dirname, "../../../bin/valinor.js");

/** What a command did. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly ended: Promise<Ran>;
  write(text: string): void;
  kill(signal: NodeJS.Signals): void;
  /** Resolves once stdout, or both outputs together if `all` says so, match. Rejects if the command ends before. */
  shows(pattern: RegExp): Promise<void>;
}

/** Starts a command with pipes; stdin stays open until `end`. */
export function start(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Running & { end(): void } {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: "pipe" });
  afterFile(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  const look = () => watchers.forEach((watcher) => watcher());
  child.stdout.setEncoding("utf8").on("data", (text: string) => ((stdout += text), look()));
  child.stderr.setEncoding("utf8").on("data", (text: string) => ((stderr += text), look()));
  // A command that ends before it has read everything.
  child.stdin.on("error", () => {});
  const ended = new Promise<Ran>((resolve) => {
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return {
    ended,
    write: (text) => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    kill: (signal) => void child.kill(signal),
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!pattern.test(stdout + stderr)) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        void ended.then(() => reject(new Error(`ended before ${pattern}:\n${stdout}\n${stderr}`)));
        check();
      }),
  };
}

/** Starts `valinor` against a server. */
export function startValinor(server: string, args: readonly string[], env: Record<string, string> = {}) {
  return start(process.execPath, [bin, ...args], { VALINOR_SERVER: server, ...env });
}

/** Runs `valinor` against a server to its end, with a text as stdin. */
export function valinor(
  server: string,
  args: readonly string[],
  { input = "", env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Ran> {
  const running = startValinor(server, args, env);
  running.write(input);
  running.end();
  return running.ended;
}

/** Starts `valinor` on a terminal of its own; what it writes, to stdout and stderr, comes as stdout. */
export function onTerminal(server: string, args: readonly string[]) {
  const line = [process.execPath, bin, ...args].map((word) => `'${word}'`).join(" ");
  return start("script", ["-qec", line, "/dev/null"], { VALINOR_SERVER: server, TERM: "xterm" });
}
