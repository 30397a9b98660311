import { HostLink } from "@valinor/protocol";
import { Convergence } from "../../src/fleet/convergence/convergence.ts";
import { Changes } from "../../src/core/watch/watch-changes.ts";
import type { LinkMaker } from "./models/connection.ts";
import { DiskModel } from "./models/disk.ts";
import { type KernelMaker, makeKernel } from "./models/guest-kernel.ts";
import type { ConvergenceMaker } from "./models/host-agent-parts.ts";
import type { DiskMaker } from "./models/machine-parts.ts";
import type { ChangesMaker } from "./models/watch-call.ts";

/** What a world is made of. The tests of the auditors put something broken into the place of one of these. */
export interface Makers {
  readonly makeLink: LinkMaker;
  readonly makeConvergence: ConvergenceMaker;
  readonly makeKernel: KernelMaker;
  readonly makeChanges: ChangesMaker;
  readonly makeDisk: DiskMaker;
}

/** The real kernels. */
export const realMakers: Makers = {
  makeLink: (...made) => new HostLink(...made),
  makeConvergence: (...made) => new Convergence(...made),
  makeKernel,
  makeChanges: (...made) => new Changes(...made),
  makeDisk: (...made) => new DiskModel(...made),
};
