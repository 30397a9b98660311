import { pauseFor, waitAtMost } from "../../waits/waits.ts";
import { backoffMs } from "../backoff.ts";
import type { AuditStore, NewAuditEntry } from "../../store/audit.ts";
import { monotonicNow } from "@valinor/protocol";

/** Most entries that wait to be written. */
export const QUEUE = 1_000;
/** Most entries of one transaction. */
const BATCH = 100;
/** How long the first entry waits for others. */
const GATHER_MS = 100;
/** Longest time to write what waits at the end. */
const CLOSE_MS = 2_000;

/**
 * Writes entries of the audit log in batches, one after the other. What the store does not take stays in the queue, and is tried again
 * after a pause that grows to 5 s.
 */
export class AuditWriter {
  readonly #store: Pick<AuditStore, "appendAudit">;
  readonly #onError: (error: unknown) => void;
  readonly #queue: NewAuditEntry[] = [];
  readonly #closing = new AbortController();
  /** When writing ends at the latest; Infinity until it is closed. */
  #endAt = Infinity;
  #dropped = 0;
  #failures = 0;
  #writing: Promise<void> | undefined;

  /** `onError` is told when the store begins to refuse entries, and at the end how many were not written. */
  constructor(store: Pick<AuditStore, "appendAudit">, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  /** Takes an entry. If the queue is full it is counted instead, and the count is written as `audit.dropped`. */
  add(entry: NewAuditEntry): void {
    if (this.#endAt !== Infinity) return;
    if (this.#queue.length < QUEUE) this.#queue.push(entry);
    else this.#dropped++;
    this.#writing ??= this.#drain();
  }

  /** Writes what waits, for 2 s at most. Takes nothing afterwards. Never rejects. */
  async close(): Promise<void> {
    if (this.#endAt !== Infinity) return this.#writing;
    this.#endAt = monotonicNow() + CLOSE_MS;
    this.#closing.abort();
    if (this.#writing !== undefined) await waitAtMost(this.#writing, CLOSE_MS, NEVER);
    const left = this.#queue.length + this.#dropped;
    if (left > 0) this.#onError(new Error(`${left} entries of the audit log were not written`));
  }

  async #drain(): Promise<void> {
    const { signal } = this.#closing;
    await pauseFor(GATHER_MS, signal);
    while ((this.#queue.length > 0 || this.#dropped > 0) && monotonicNow() < this.#endAt) {
      await this.#writeBatch();
      if (this.#failures > 0) await pauseFor(backoffMs(this.#failures), signal);
      if (this.#failures > 0 && signal.aborted) await pauseFor(GATHER_MS, NEVER);
    }
    this.#writing = undefined;
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#queue.slice(0, BATCH);
    const lost = this.#dropped;
    try {
      await this.#store.appendAudit(lost === 0 ? batch : [...batch, droppedEntry("", lost)]);
      this.#queue.splice(0, batch.length);
      this.#dropped -= lost;
      this.#failures = 0;
    } catch (error) {
      if (this.#failures++ === 0) this.#onError(error);
    }
  }
}

const NEVER = new AbortController().signal;

/** The entry that tells of those that were not written. */
export function droppedEntry(tenant: string, count: number): NewAuditEntry {
  const credential = "valinor";
  return { tenant, subject: credential, credential, action: "audit.dropped", agentId: "", detail: { count } };
}
