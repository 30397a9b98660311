import type { Fleet } from "../agents/fleet.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../store/vault.ts";
import type { Audit } from "./audit.ts";
import type { Quota } from "./quota.ts";
import type { HeldStream, StreamLimits } from "./stream-budget.ts";

/** What the calls need. */
export interface CoreOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly vault: Vault;
  readonly audit: Audit;
  readonly quota: Quota;
  /** Longest unary call, milliseconds. */
  readonly messageMs: number;
  /** Longest wait for the answer to a push or a cancel, milliseconds. */
  readonly configMs: number;
  /** Bounds of what waits for clients that do not read, where they differ from defaultStreamLimits. */
  readonly streamLimits?: Partial<StreamLimits>;
  /** Told of each stream that was ended for them, and how many bytes it held. */
  readonly onShed?: (stream: HeldStream, bytes: number) => void;
  /** True once the program is stopping: no new run is begun. */
  draining(): boolean;
  /** Refuses an address that agents may not have; throws ValinorError. */
  checkAddress(address: string): void;
}
