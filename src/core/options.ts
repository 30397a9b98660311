import type { Fleet } from "../agents/fleet.ts";
import type { Store } from "../store/store.ts";

/** What the calls need. */
export interface CoreOptions {
  readonly store: Store;
  readonly fleet: Fleet;
  /** Longest unary call, milliseconds. */
  readonly messageMs: number;
  /** Longest wait for the answer to a push or a cancel, milliseconds. */
  readonly configMs: number;
  /** True once the program is stopping: no new run is begun. */
  draining(): boolean;
  /** Refuses an address that agents may not have; throws ValinorError. */
  checkAddress(address: string): void;
}
