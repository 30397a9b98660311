import type { LedgerLine } from "../../../agent/runs/ledger-entries.ts";
import type { Clock } from "../engine/clock.ts";
import type { History } from "../engine/history.ts";
import type { DiskModel } from "./disk.ts";
import type { KernelMaker } from "./guest-kernel.ts";

/** Makes the disk of a machine; tests of the auditors make another one. */
export type DiskMaker = (
  ...made: ConstructorParameters<typeof DiskModel<LedgerLine>>
) => DiskModel<LedgerLine>;

/** What machines need of the world. */
export interface MachineParts {
  readonly seed: number;
  readonly clock: Clock;
  readonly history: History;
  readonly makeKernel: KernelMaker;
  readonly makeDisk: DiskMaker;
  /** A number that nobody else in the world gets. */
  nextId(): number;
}
