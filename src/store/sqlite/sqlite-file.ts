import { statSync } from "node:fs";
import { StoreError } from "../store.ts";
import type { Troubles } from "../troubles.ts";

/** How often the files are looked at without a write, milliseconds. */
const LOOK_MS = 1_000;

/** Files of a store: the database, its log, and the index of that. */
const ENDINGS = ["", "-wal", "-shm"] as const;

/**
 * Sees that an open store's files are still those at its path. SQLite goes on without a word in files that were removed or replaced,
 * and what it writes there is gone with the process. Put back, they are as good as before.
 */
export interface FileWatch {
  /** Throws StoreError `unavailable` with the trouble `gone` if they are not in their place. */
  check(): void;
  /** True if they are in their place. */
  isIntact(): boolean;
  /** Looks no more. */
  close(): void;
}

/** Watches the files of a database that is open and was read from, which makes the side files. */
export function watchFiles(path: string, troubles: Troubles): FileWatch {
  const files = ENDINGS.map((ending) => ({ name: `${path}${ending}`, id: identity(`${path}${ending}`) }));
  const missing = (): string | undefined => files.find(({ name, id }) => identity(name) !== id)?.name;
  const look = (): string | undefined => {
    const name = missing();
    if (name === undefined) {
      troubles.worked("file");
      return undefined;
    }
    const how = "put it back, or stop the server and restore the store from a backup";
    const text = `${name} was removed or replaced while the store was open; nothing is written until it is back: ${how}`;
    troubles.failed("file", text);
    return text;
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return {
    check() {
      const text = look();
      if (text !== undefined) throw new StoreError("unavailable", text, { trouble: "gone" });
    },
    isIntact: () => missing() === undefined,
    close: () => clearInterval(timer),
  };
}

/** Which file is at a path; undefined if there is no file, or none that this process can see. */
function identity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined; // gone or not ours to see: `look` says so
  }
}
