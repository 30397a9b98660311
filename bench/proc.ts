import { readdirSync, readFileSync } from "node:fs";

/** Memory of a process, MiB: all that is resident, and what of it no file backs. */
export interface Memory {
  readonly rss: number;
  readonly anonymous: number;
}

/** Length of a tick of /proc/PID/stat; Linux has told 100 a second to programs since ever. */
const TICK_US = 10_000;

/** CPU of the threads that a process has, in milliseconds, exactly; what threads used that have ended is missing. */
export function threadsCpuMs(pid: number): number {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]);
  return ns / 1e6;
}

/** CPU that a process has used, user and system together, microseconds in steps of 10 ms. */
export function processCpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything; user and system time are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** Memory of a process as it is now. */
export function processMemory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1]) / 1024;
  return { rss: mib("Rss"), anonymous: mib("Anonymous") };
}
