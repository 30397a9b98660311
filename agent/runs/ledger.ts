import { monotonicNow } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import { digestOfHash, digestOfName } from "./ledger-digests.ts";
import { LedgerEntries, type LedgerEntry } from "./ledger-entries.ts";
import { openLedgerFile } from "./ledger-file.ts";
import type { Log } from "../log.ts";

/** Remembers which requests were taken, so that none runs twice. */
export interface Ledger {
  /** Where: what is in memory alone is gone with the process. */
  readonly remembers: "disk" | "memory";
  /** What is known of a request; its message is the same where `digest` is the digestOfHash of the message's. */
  find(requestId: string): LedgerEntry | undefined;
  /**
   * Records a request and the hash of its message; resolves when it is safe, on disk where there is a state directory: only then
   * may the model be called. Rejects where it could not be written: then it is forgotten.
   */
  record(requestId: string, hash: string): Promise<void>;
  /** Forgets what is too old. */
  sweep(): void;
  close(): Promise<void>;
}

type LedgerBounds = Pick<Bounds, "ledgerKeepMs" | "ledgerEntries">;

/** A ledger that is full says so no more often than this. */
const FULL_LOG_MS = 60_000;

/**
 * Opens the ledger of a state directory, which is made where it is missing, or one in memory where there is none.
 * Rejects where the directory cannot be read or written.
 *
 * The ledger has a clock of its own: it goes with the monotonic clock (`now`, milliseconds), stands still while no agent runs, and
 * goes on after a restart from the latest time in the file. So no step of the wall clock makes it forget, and what is remembered for
 * 24 h is remembered for 24 h in which an agent ran.
 */
export async function openLedger(
  stateDir: string | undefined,
  bounds: LedgerBounds,
  log: Log,
  now: () => number = monotonicNow,
): Promise<Ledger> {
  const { ledgerKeepMs, ledgerEntries } = bounds;
  const entries = new LedgerEntries(ledgerKeepMs);
  let forgotten = 0;
  let toldAt = -Infinity;

  const file = stateDir === undefined ? undefined : await openLedgerFile(stateDir, entries, bounds, log);
  const began = (file?.latest ?? 0) - now();
  const time = () => Math.round(began + now());

  /** Keeps within the bound on number: to forget a request that is young enough to come again is not for silence. */
  function makeRoom(): void {
    forgotten += entries.forgetOver(ledgerEntries);
    if (forgotten === 0 || now() - toldAt < FULL_LOG_MS) return;
    log.warn("ledger_full", { entries: ledgerEntries, forgotten });
    forgotten = 0;
    toldAt = now();
  }

  return {
    remembers: file === undefined ? "memory" : "disk",
    find: (requestId) => entries.find(digestOfName(requestId)),
    async record(requestId, hash) {
      const line = { name: digestOfName(requestId), digest: digestOfHash(hash), at: time() };
      entries.add(line, true);
      entries.forgetOld(line.at);
      makeRoom();
      try {
        await file?.append(line);
      } catch (error) {
        entries.delete(line.name);
        throw error;
      }
    },
    sweep: () => entries.forgetOld(time()),
    close: async () => file?.close(),
  };
}
