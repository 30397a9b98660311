import { closeSync, existsSync, fsyncSync, openSync, statSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** A way to run the agent, or the floor below all of them. */
export interface AgentVariant {
  readonly name: string;
  /** Program and its first arguments; the agent's flags follow. */
  readonly command: readonly string[];
  /** Files that must be on the guest's disk for it; undefined: too many to be worth a sum. */
  readonly files: readonly string[] | undefined;
  /** Whether it answers messages; the floor only listens. */
  readonly answers: boolean;
}

const top = join(import.meta.dirname, "..");
const node = process.execPath;

/** The floor, the sources as they are, and the two artefacts of `npm run build:agent`, which must be there. */
export function agentVariants(): AgentVariant[] {
  const bundle = join(top, "dist/agent/valinor-agent.cjs");
  const executable = join(top, "dist/agent/valinor-agent");
  const floor = join(import.meta.dirname, "agent-floor.cjs");
  const variants: AgentVariant[] = [
    { name: "floor: a net server", command: [node, floor], files: [node], answers: false },
    {
      name: "TypeScript",
      command: [node, join(top, "bin/valinor-agent.js")],
      files: undefined,
      answers: true,
    },
    { name: "bundle and node", command: [node, bundle], files: [node, bundle], answers: true },
    { name: "single executable", command: [executable], files: [executable], answers: true },
  ];
  const missing = [bundle, executable].find((file) => !existsSync(file));
  if (missing !== undefined) throw new Error(`${missing} is missing: npm run build:agent makes it`);
  return variants;
}

/**
 * Takes a program's file out of the page cache, so that its next start fills it page by page. A file that was just written or
 * read as a whole lies there in large pieces, and each piece that is touched counts for the process: 35 MB more, of
 * which no byte is needed. In a guest that starts from its disk the file is never read as a whole.
 */
export function dropFromCache(variant: AgentVariant): void {
  const [program] = variant.command;
  if (program === undefined || program === node) return; // in use by this process, as everywhere
  const fd = openSync(program, "r");
  fsyncSync(fd); // what is not on the disk yet cannot be dropped
  closeSync(fd);
  spawnSync("dd", [`if=${program}`, "iflag=nocache", "count=0"]);
}

/** Megabytes (10^6) of the variant's files. */
export function diskMb({ files }: AgentVariant): number | undefined {
  return files?.reduce((sum, file) => sum + statSync(file).size / 1e6, 0);
}
