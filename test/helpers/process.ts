import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterFile, tempDir } from "./cleanup.ts";

const bin = join(import.meta.dirname, "../../bin");

/** Ends each program that runs; for a test process that ends without its hooks. */
const running = new Set<() => void>();
process.once("exit", () => running.forEach((kill) => kill()));

/** A program that runs beside the test; it is killed after the last test of the file at the latest. */
export interface Program {
  readonly pid: number;
  /** Everything it has written so far. */
  stdout(): string;
  stderr(): string;
  /**
   * Waits until its output matches, what was written before included; stdout unless told otherwise. Rejects, with all
   * output, when the program ends first or after `ms` (default 15 s).
   */
  waitFor(pattern: RegExp, options?: { ms?: number; of?: "stdout" | "stderr" }): Promise<RegExpExecArray>;
  kill(signal?: NodeJS.Signals): void;
  /** Resolves when it has ended and its output is complete. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** How to start a program: `env` adds to the test's own environment, undefined values remove. */
export interface ProgramOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Program to run bin/valinor.js with; default the Node of the test. */
  node?: string;
}

/** Starts `valinor ARGS` as a real process. */
export function spawnValinor(args: readonly string[], options: ProgramOptions = {}): Program {
  return spawnProgram(options.node ?? process.execPath, [join(bin, "valinor.js"), ...args], options);
}

/** What a program did that has ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `valinor ARGS` as a real process to its end. */
export async function runValinor(args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  const program = spawnValinor(args, options);
  const { code } = await program.exited;
  return { code, stdout: program.stdout(), stderr: program.stderr() };
}

/** A `valinor-agent` that listens on loopback. */
export interface AgentProgram extends Program {
  /** Where it listens, such as `tcp://127.0.0.1:41234`. */
  readonly address: string;
}

/** What an agent needs to know; further flags go to `args`. */
export interface AgentOptions extends ProgramOptions {
  openclawUrl: string;
  agentId?: string;
  /** Without it the agent runs with `--insecure`. */
  tokenFile?: string;
  /** Default: a fresh directory. */
  stateDir?: string;
  /** Default 0: a free one. */
  port?: number;
  args?: readonly string[];
}

/** Starts a real `valinor-agent` over TCP and waits until it listens. */
export async function startAgentProcess(options: AgentOptions): Promise<AgentProgram> {
  const flags = "--transport tcp --host 127.0.0.1".split(" ");
  flags.push("--port", String(options.port ?? 0), "--openclaw-url", options.openclawUrl);
  flags.push("--agent-id", options.agentId ?? "demo", "--state-dir", options.stateDir ?? tempDir());
  if (options.tokenFile === undefined) flags.push("--insecure");
  else flags.push("--token-file", options.tokenFile);
  flags.push(...(options.args ?? []));
  const program = spawnProgram(process.execPath, [join(bin, "valinor-agent.js"), ...flags], options);
  const [, address] = await program.waitFor(/valinor-agent listening on (\S+)/);
  if (address === undefined) throw new Error("the agent names no address");
  return Object.assign(program, { address });
}

/** Starts any program with its output collected (the last 4 Mi characters of each stream). */
export function spawnProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Program {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that what it started in turn can be ended with it.
    detached: true,
  });
  const output = { stdout: "", stderr: "" };
  for (const of of ["stdout", "stderr"] as const) {
    child[of].setEncoding("utf8");
    child[of].on("data", (text: string) => (output[of] = (output[of] + text).slice(-4 * 1024 * 1024)));
  }
  let ended = false;
  const exited = once(child, "close").then(([code, signal]) => {
    ended = true;
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  const kill = (): void => killGroup(child.pid);
  running.add(kill);
  void exited.then(() => running.delete(kill));
  afterFile(async () => {
    kill();
    await exited;
  });
  return {
    pid: child.pid ?? 0,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    kill: (signal = "SIGTERM") => void child.kill(signal),
    exited,
    waitFor: (pattern, { ms = 15_000, of = "stdout" } = {}) =>
      new Promise((resolve, reject) => {
        const fail = (why: string): void =>
          settle(() => reject(new Error(`${why} before ${pattern}:\n${output.stdout}\n${output.stderr}`)));
        const look = (): void => {
          const match = pattern.exec(output[of]);
          if (match !== null) settle(() => resolve(match));
          else if (ended) fail("the program ended");
        };
        const timer = setTimeout(() => fail(`${ms} ms passed`), ms);
        const settle = (then: () => void): void => {
          clearTimeout(timer);
          child[of].off("data", look);
          then();
        };
        child[of].on("data", look);
        void exited.then(look);
        look();
      }),
  };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch (error) {
    // Nothing of the group is left, which is what was wanted.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
