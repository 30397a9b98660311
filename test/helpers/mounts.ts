import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, spawnProgram } from "./process.ts";

/** Why no mount can be made here; undefined if it can, or must (CI=true). */
export function missingMounts(): string | undefined {
  if (process.env["CI"] === "true") return undefined;
  const { status, stderr } = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], {
    encoding: "utf8",
  });
  return status === 0
    ? undefined
    : `mounts of its own are not permitted here: ${stderr ?? "there is no unshare"}`.trim();
}

/** Processes that see a file system of their own. */
export interface Mounts {
  /** Where a test that is outside finds what stands at a path inside. */
  outside(path: string): string;
  /** Starts a program inside, in the folder `/`, with nothing of the test's environment but PATH and `env`. */
  run(command: string, args: readonly string[], env?: Record<string, string>): Program;
}

/** Makes a file system as a shell script says it, seen by `run` alone; it is gone after the last test of the file. */
export async function startMounts(script: string): Promise<Mounts> {
  const holder = spawnProgram("unshare", [
    "-m",
    "sh",
    "-ec",
    `mount --make-rprivate /\n${script}\necho ready\nexec sleep 3600`,
  ]);
  await holder.waitFor(/ready/);
  return {
    outside: (path) => join(`/proc/${holder.pid}/root`, path),
    run(command, args, env = {}) {
      const set = Object.entries({ PATH: process.env["PATH"] ?? "", ...env }).map(
        ([name, value]) => `${name}=${value}`,
      );
      const inside = [
        "-t",
        String(holder.pid),
        "-m",
        "--wdns=/",
        "--",
        "env",
        "-i",
        ...set,
        command,
        ...args,
      ];
      return spawnProgram("nsenter", inside);
    },
  };
}

/** Takes all the room of a small file system with a file; removing that gives it back. */
export function fillDisk(file: string): void {
  for (const size of [64 * 1024, 4_096, 512]) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
}
