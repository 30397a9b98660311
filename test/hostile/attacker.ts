/** The process of an attack: told what to do by its parent, with the least priority, so that it takes the good client no time. */
import { setPriority } from "node:os";
import type { Attack, AttackOrder, AttackOutcome } from "./attack.ts";

setPriority(19);
// Peers that the server closes are what an attack is about.
process.on("uncaughtException", (error: NodeJS.ErrnoException) => {
  if (error.code === undefined) throw error;
});

const controller = new AbortController();
const counts: Record<string, number> = {};
const closedMs: number[] = [];

process.on("message", (message: AttackOrder | "stop") => {
  if (message === "stop") controller.abort();
  else void run(message);
});
process.once("disconnect", () => process.exit(0));

async function run({ module, name, port, peers, keys }: AttackOrder): Promise<void> {
  const exports = (await import(module)) as Record<string, Attack>;
  const attack = exports[name];
  if (attack === undefined) throw new Error(`${module} has no attack ${name}`);
  const begun = () => void process.send?.("begun");
  const report = {
    count: (what: string, by = 1) => void (counts[what] = (counts[what] ?? 0) + by),
    closed: (ms: number) => void closedMs.push(ms),
    begun,
  };
  let error: string | undefined;
  try {
    if (!attack.toString().includes("begun")) begun();
    await attack({ port, peers, keys, signal: controller.signal, report });
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  const outcome: AttackOutcome = { counts, closedMs, ...(error === undefined ? {} : { error }) };
  process.send?.(outcome, () => process.exit(0));
}
