import type { DatabaseSync } from "node:sqlite";

/**
 * What holds for every connection to a store, of this process or a worker: a commit is on disk, what is deleted is overwritten (see
 * sqlite-wipe.ts), and what SQLite sorts or rebuilds stays in memory. It goes into no temporary file: that would hold what was
 * deleted, and fail if the store's folder is the only one that can be written to.
 */
export function applySettings(database: DatabaseSync): void {
  database.exec("pragma synchronous = full");
  database.exec("pragma secure_delete = on");
  database.exec("pragma temp_store = memory");
}
