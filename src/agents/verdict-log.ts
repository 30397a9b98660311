import type { ConfigVerdict } from "../store/store.ts";

/** A verdict to be written down. */
export interface VerdictEntry {
  readonly revision: number;
  readonly outcome: "applied" | "refused";
  readonly reason: string;
  readonly bootId: string;
}

/** Writes down what a guest said of its configurations, behind the pushes: nobody waits for it. */
export interface VerdictLog {
  /** Takes a verdict, and tries again what could not be written before. One that was taken already is not written again. */
  note(entry: VerdictEntry): void;
}

/** Most verdicts that wait; the oldest goes for a new one. */
const MOST = 16;

/** Makes the log of one agent over `write`, which may reject. */
export function createVerdictLog(write: (entry: VerdictEntry) => Promise<void>): VerdictLog {
  const waiting: VerdictEntry[] = [];
  let writing = false;
  let last: VerdictEntry | undefined;

  async function drain(): Promise<void> {
    if (writing) return;
    writing = true;
    try {
      for (let entry = waiting[0]; entry !== undefined; entry = waiting[0]) {
        await write(entry);
        if (waiting[0] === entry) waiting.shift();
      }
    } catch {
      // It stays the first, and is tried again with the next verdict.
    } finally {
      writing = false;
    }
  }

  return {
    note(entry) {
      const again =
        last?.revision === entry.revision && last.outcome === entry.outcome && last.bootId === entry.bootId;
      if (!again) {
        last = entry;
        if (waiting.length >= MOST) waiting.shift();
        waiting.push(entry);
      }
      void drain();
    },
  };
}

/** True where the store has that verdict already. */
export function isRecorded(stored: ConfigVerdict, { outcome, bootId }: VerdictEntry): boolean {
  return stored.outcome === outcome && stored.bootId === bootId;
}
