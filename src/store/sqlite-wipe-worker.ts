import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";

// Runs in a thread of its own (sqlite-wipe.ts). `workerData` is the path of the database; the exit code is 0 where nothing that was
// deleted is left in its files.
const database = new DatabaseSync(String(workerData), { timeout: 1_000, defensive: true });
try {
  process.exitCode = wipe() ? 0 : 1;
} finally {
  database.close();
}

/** False where others were in the way. */
function wipe(): boolean {
  database.exec("pragma synchronous = full");
  database.exec("pragma secure_delete = on");
  const deletions = countDeletions();
  if (deletions === 0) return true;
  database.exec("vacuum");
  if (database.prepare("pragma wal_checkpoint(truncate)").get()?.["busy"] !== 0) return false;
  database.exec("begin immediate");
  const isClean = countDeletions() === deletions;
  if (isClean) database.exec("pragma user_version = 0");
  database.exec("commit");
  return isClean;
}

function countDeletions(): number {
  return Number(database.prepare("pragma user_version").get()?.["user_version"]);
}
