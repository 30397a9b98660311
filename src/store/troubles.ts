import { monotonicNow } from "@valinor/protocol";

/** Why a database does not do what it is told, if that is known: its disk is `full`, or its file was removed or replaced (`gone`). */
export type StoreTrouble = "full" | "gone";

/** What of a store fails, or works again. */
export interface StoreNews {
  /** `wipe` is the removal of what was deleted from a SQLite store's files, `file` the file itself. */
  readonly what: "read" | "write" | "wipe" | "file";
  readonly works: boolean;
  /** For people: what is wrong, and what to do. Empty if it works again. */
  readonly detail: string;
  /** How often it failed since it worked last. */
  readonly failures: number;
}

/** Told when a store begins to fail at something, once a minute while it fails, and when it works again. Must not throw. */
export type OnStoreNews = (news: StoreNews) => void;

/** While something goes on failing it is told again after this long, milliseconds. */
const AGAIN_MS = 60_000;

/** Counts failures, so that a log gets a line a minute of them and not one for each. */
export interface Troubles {
  failed(what: StoreNews["what"], detail: string): void;
  worked(what: StoreNews["what"]): void;
}

/** Makes a count of a store's failures. */
export function createTroubles(tell: OnStoreNews | undefined): Troubles {
  const failing = new Map<StoreNews["what"], { failures: number; toldAt: number }>();
  return {
    failed(what, detail) {
      const now = monotonicNow();
      const { failures, toldAt } = failing.get(what) ?? { failures: 0, toldAt: -Infinity };
      const isDue = now - toldAt >= AGAIN_MS;
      failing.set(what, { failures: failures + 1, toldAt: isDue ? now : toldAt });
      if (isDue) tell?.({ what, works: false, detail, failures: failures + 1 });
    },
    worked(what) {
      const before = failing.get(what);
      if (before === undefined) return;
      failing.delete(what);
      tell?.({ what, works: true, detail: "", failures: before.failures });
    },
  };
}
