import type { ConfigVerdict } from "../store/store.ts";
import { monotonicNow } from "@valinor/protocol";

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

/**
 * Further verdicts on a revision that are written at once, and the time after which there is room for one more, milliseconds: each is a
 * row in the audit log, and a guest that comes back as another boot all the time has another one each time.
 */
const BURST = 16;
const EVERY_MS = 10_000;

/** Makes the log of one agent over `write`, which may reject. */
export function createVerdictLog(write: (entry: VerdictEntry) => Promise<void>): VerdictLog {
  const waiting: VerdictEntry[] = [];
  let writing = false;
  let last: VerdictEntry | undefined;
  /** Highest revision that a verdict was written on. */
  let judged = 0;
  let room = BURST;
  let roomAt = monotonicNow();
  let timer: NodeJS.Timeout | undefined;

  /** True where it may be written now, as the first on its revision may; else it is tried again when there is room. */
  function hasRoom({ revision }: VerdictEntry): boolean {
    if (revision > judged) return true;
    const more = Math.floor((monotonicNow() - roomAt) / EVERY_MS);
    room = Math.min(BURST, room + more);
    roomAt = room === BURST ? monotonicNow() : roomAt + more * EVERY_MS;
    if (room > 0) return true;
    timer ??= setTimeout(() => {
      timer = undefined;
      void drain();
    }, EVERY_MS).unref();
    return false;
  }

  async function drain(): Promise<void> {
    if (writing) return;
    writing = true;
    try {
      for (let entry = waiting[0]; entry !== undefined && hasRoom(entry); entry = waiting[0]) {
        await write(entry);
        if (entry.revision <= judged) room--;
        else judged = entry.revision;
        if (waiting[0] === entry) waiting.shift();
      }
    } catch {
      // It stays the first, and is tried again with the next verdict.
    } finally {
      writing = false;
    }
  }

  /** What waits for room and is overtaken by another word on the same revision is of no interest any more. */
  function dropOvertaken(revision: number): void {
    // The first one is being written.
    const at = waiting.findIndex((entry, index) => entry.revision === revision && (index > 0 || !writing));
    if (at >= 0) waiting.splice(at, 1);
  }

  return {
    note(entry) {
      const again =
        last?.revision === entry.revision && last.outcome === entry.outcome && last.bootId === entry.bootId;
      if (!again) {
        last = entry;
        dropOvertaken(entry.revision);
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
