import type { Bounds } from "../../../agent/bounds.ts";
import type { Log } from "../../../agent/log.ts";
import { Ledger, ledgerOf } from "../../../agent/runs/ledger.ts";
import type { LedgerEntry } from "../../../agent/runs/ledger-entries.ts";
import { openLedgerFile, readLedger } from "../../../agent/runs/ledger-file.ts";
import { monotonicNow } from "../../../protocol/wire/clock.ts";

/** A ledger with its file, as an agent has it. */
export interface OpenLedger {
  find(requestId: string): LedgerEntry | undefined;
  record(requestId: string, hash: string): Promise<void>;
  sweep(): void;
  close(): Promise<void>;
}

/** Opens the ledger of a directory. */
export async function openLedger(
  dir: string,
  bounds: Bounds,
  log: Log,
  now: () => number = monotonicNow,
): Promise<OpenLedger> {
  const state = ledgerOf(await readLedger(dir, log), bounds, now());
  const ledger = new Ledger(bounds, state, (entries, forgotten) =>
    log.warn("ledger_full", { entries, forgotten }),
  );
  const file = await openLedgerFile(dir, ledger.entries, log);
  let lives = 0;
  return {
    find: (requestId) => ledger.find(requestId),
    async record(requestId, hash) {
      const life = `life-${++lives}`;
      await file.append(ledger.take(life, requestId, hash, now()));
      ledger.recorded(life, true);
    },
    sweep: () => ledger.sweep(now()),
    close: () => file.close(),
  };
}
