import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { processCpuUs, processMemory } from "../proc.ts";

/** A program with all the processes that it starts. */
export interface Program {
  readonly pid: number;
  /** Kills it, and resolves when it is gone. */
  stop(): Promise<void>;
}

/** How to start a program. */
export interface ProgramOptions {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** CPU core to pin it to; undefined: none. */
  readonly core: number | undefined;
  /** File that takes what it prints. */
  readonly log: string;
}

/** Starts a program. */
export function startProgram({ command, env = {}, core, log }: ProgramOptions): Program {
  const [program = "", ...args] = core === undefined ? command : ["taskset", "-c", String(core), ...command];
  const to = openSync(log, "a");
  const child = spawn(program, args, { stdio: ["ignore", to, to], env: { ...process.env, ...env } });
  closeSync(to);
  child.on("error", () => {});
  return { pid: child.pid ?? 0, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  const family = familyOf(child.pid).filter((pid) => pid !== child.pid);
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await exited;
  clearTimeout(late);
  for (const pid of family) killIfAlive(pid);
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended with the process that started it.
  }
}

/** A process and all that descend from it. */
function familyOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    const own = children === "" ? [] : children.split(" ").map(Number);
    return [pid, ...own.flatMap(familyOf)];
  } catch {
    return []; // It has ended meanwhile.
  }
}

/** CPU of a program, microseconds in steps of 10 ms, and its memory, MiB. */
export function usageOf(program: Program): { cpuUs: number; rssMiB: number } {
  const family = familyOf(program.pid);
  if (family.length === 0) throw new Error("the program has ended");
  return {
    cpuUs: family.reduce((sum, pid) => sum + processCpuUs(pid), 0),
    rssMiB: family.reduce((sum, pid) => sum + processMemory(pid).rss, 0),
  };
}

/** Waits until a port of loopback is listened on. Rejects if the program ends before, or so many milliseconds have passed. */
export async function untilListening(program: Program, port: number, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (!(await isListening(port))) {
    if (familyOf(program.pid).length === 0) throw new Error("it ended before it listened");
    if (performance.now() > end) throw new Error(`it did not listen within ${ms / 1000} s`);
    await sleep(100);
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
