import { backoffMs, pauseFor, waitAtMost } from "../../link/backoff.ts";
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

/** Writes entries of the audit log in batches, one after the other. */
export interface AuditWriter {
  /** Takes an entry. If the queue is full it is counted instead, and the count is written as `audit.dropped`. */
  add(entry: NewAuditEntry): void;
  /** Writes what waits, for 2 s at most. Takes nothing afterwards. Never rejects. */
  close(): Promise<void>;
}

/**
 * Makes a writer. What the store does not take stays in the queue, and is tried again after a pause that grows to 5 s.
 * `onError` is told when that begins, and at the end how much was not written.
 */
export function createAuditWriter(
  store: Pick<AuditStore, "appendAudit">,
  onError: (error: unknown) => void,
): AuditWriter {
  const queue: NewAuditEntry[] = [];
  const closing = new AbortController();
  let endAt = Infinity;
  let dropped = 0;
  let failures = 0;
  let writing: Promise<void> | undefined;

  async function writeBatch(): Promise<void> {
    const batch = queue.slice(0, BATCH);
    const lost = dropped;
    try {
      await store.appendAudit(lost === 0 ? batch : [...batch, droppedEntry("", lost)]);
      queue.splice(0, batch.length);
      dropped -= lost;
      failures = 0;
    } catch (error) {
      if (failures++ === 0) onError(error);
    }
  }

  async function drain(): Promise<void> {
    await pauseFor(GATHER_MS, closing.signal);
    while ((queue.length > 0 || dropped > 0) && monotonicNow() < endAt) {
      await writeBatch();
      if (failures > 0) await pauseFor(backoffMs(failures), closing.signal);
      if (failures > 0 && closing.signal.aborted) await pauseFor(GATHER_MS, NEVER);
    }
    writing = undefined;
  }

  return {
    add(entry) {
      if (endAt !== Infinity) return;
      if (queue.length < QUEUE) queue.push(entry);
      else dropped++;
      writing ??= drain();
    },
    async close() {
      if (endAt !== Infinity) return writing;
      endAt = monotonicNow() + CLOSE_MS;
      closing.abort();
      if (writing !== undefined) await waitAtMost(writing, CLOSE_MS, NEVER);
      const left = queue.length + dropped;
      if (left > 0) onError(new Error(`${left} entries of the audit log were not written`));
    },
  };
}

const NEVER = new AbortController().signal;

/** The entry that tells of those that were not written. */
export function droppedEntry(tenant: string, count: number): NewAuditEntry {
  const credential = "valinor";
  return { tenant, subject: credential, credential, action: "audit.dropped", agentId: "", detail: { count } };
}
