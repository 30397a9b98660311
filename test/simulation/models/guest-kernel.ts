import { boundsWith } from "../../../agent/bounds.ts";
import { GuestKernel } from "../../../agent/kernel/guest-kernel.ts";
import type { GuestIds, GuestInputs, GuestOptions, GuestOutput } from "../../../agent/kernel/ports.ts";
import { freshBoot, type GuestSnapshot } from "../../../agent/kernel/snapshot.ts";
import type { LedgerLine } from "../../../agent/runs/ledger-entries.ts";

/** Small bounds, so that what happens at a bound happens often. Milliseconds and bytes. */
const BOUNDS = boundsWith({
  journalRunBytes: 48 * 1024,
  journalAgentBytes: 192 * 1024,
  journalKeepMs: 20_000,
  runsInFlight: 6,
  exchanges: 48,
  modelSilenceMs: 30_000,
  runMs: 120_000,
  orphanMs: 10_000,
  contextEntryBytes: 64,
  appliesQueued: 4,
});

/** What a kernel begins with: the memory of a machine that was copied, or the ledger on the disk of one that starts. */
export type Beginning =
  | { readonly snapshot: GuestSnapshot }
  | { readonly bootId: string; readonly taken: readonly LedgerLine[] };

/** Makes the kernel of a guest; tests of the auditors make another one. */
export type KernelMaker = (
  output: GuestOutput,
  options: GuestOptions,
  beginning: Beginning,
  now: number,
) => GuestInputs;

/** The real kernel. */
export const makeKernel: KernelMaker = (output, options, beginning, now) =>
  new GuestKernel(
    options,
    output,
    "snapshot" in beginning ? beginning.snapshot : freshBoot(beginning, options.bounds, now),
  );

/** What a guest's kernel is told once. */
export function optionsOf(agentId: string, machine: string, boot: string): GuestOptions {
  return {
    bounds: BOUNDS,
    ids: mintIds(`${machine}:${boot}`),
    token: "token",
    agentId,
    version: "0.0.0",
    remembers: "disk",
  };
}

/** Mints names that begin with the name of the one who mints them: nobody else's do. */
function mintIds(name: string): GuestIds {
  let minted = 0;
  return { life: () => `${name}:${++minted}`, request: () => `${name}:unnamed:${++minted}` };
}
