import type { Bounds } from "./bounds.ts";
import { openLedgerFile } from "./ledger-file.ts";
import type { Log } from "./log.ts";

/** What the ledger knows of a request. */
export interface LedgerEntry {
  readonly requestId: string;
  /** Digest of the message. */
  readonly hash: string;
  /** Boot that took it. */
  readonly bootId: string;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
}

/** Remembers which requests were taken, so that none runs twice. */
export interface Ledger {
  find(requestId: string): LedgerEntry | undefined;
  /**
   * Records a request; resolves when it is safe, on disk where there is a state directory: only then may the model be
   * called. Rejects where it could not be written: then it is forgotten.
   */
  record(entry: LedgerEntry): Promise<void>;
  /** Forgets what is too old. */
  sweep(now: number): void;
  close(): Promise<void>;
}

/** The entries of a ledger, oldest first, within bounds of age and number. */
export type LedgerEntries = Map<string, LedgerEntry>;

type LedgerBounds = Pick<Bounds, "ledgerKeepMs" | "ledgerEntries">;

/**
 * Opens the ledger of a state directory, which is made where it is missing, or one in memory where there is none.
 * Rejects where the directory cannot be read or written.
 */
export async function openLedger(
  stateDir: string | undefined,
  bounds: LedgerBounds,
  log: Log,
): Promise<Ledger> {
  const entries: LedgerEntries = new Map();
  const sweep = (now: number) => {
    for (const [requestId, { at }] of entries) {
      if (entries.size <= bounds.ledgerEntries && now - at <= bounds.ledgerKeepMs) return;
      entries.delete(requestId);
    }
  };
  const file = stateDir === undefined ? undefined : await openLedgerFile(stateDir, entries, sweep, log);
  return {
    find: (requestId) => entries.get(requestId),
    async record(entry) {
      entries.set(entry.requestId, entry);
      sweep(Date.now());
      try {
        await file?.append(entry);
      } catch (error) {
        entries.delete(entry.requestId);
        throw error;
      }
    },
    sweep,
    close: async () => file?.close(),
  };
}
