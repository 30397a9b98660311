import type { Fleet } from "../fleet/fleet.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../store/vault/vault.ts";
import type { Audit } from "./audit/audit.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Quota } from "./access/quota.ts";
import type { HeldStream, StreamLimits } from "./runs/stream-budget.ts";

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
  /** From `draining` on no run is begun; at `ending` the runs that are being read end with DRAINING. */
  readonly lifecycle: Lifecycle;
  /** Bounds of what waits for clients that do not read, if they differ from defaultStreamLimits. */
  readonly streamLimits?: Partial<StreamLimits>;
  /** Told of each stream that was ended for them, and how many bytes it held. */
  readonly onShed?: (stream: HeldStream, bytes: number) => void;
  /** Told of an error that no caller hears of; `text` says what came of it. */
  readonly onUnheardError: (error: unknown, text: string) => void;
  /** Refuses an address that agents may not have; throws ValinorError. */
  checkAddress(address: string): void;
}
