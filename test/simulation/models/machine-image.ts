import type { GuestSnapshot } from "../../../agent/kernel/snapshot.ts";
import type { LedgerLine } from "../../../agent/runs/ledger-entries.ts";
import type { WantedConfig } from "../../../agent/settings/config-in-force.ts";
import type { DiskImage } from "./disk.ts";
import type { ModelImage } from "./openclaw.ts";

/** A configuration that OpenClaw is being told. */
export interface Applying {
  readonly ticket: number;
  readonly config: WantedConfig;
}

/** A machine's memory and disk, as a snapshot holds them. */
export interface MachineImage {
  readonly agent: string;
  readonly kernel: GuestSnapshot | undefined;
  /** What its clock showed. */
  readonly local: number;
  readonly boot: string;
  readonly boots: number;
  readonly inForce: { readonly revision: number; readonly sha256: string };
  readonly context: string;
  readonly applying: Applying | undefined;
  readonly called: ReadonlySet<string>;
  readonly disk: DiskImage<LedgerLine>;
  readonly openclaw: ModelImage;
}
