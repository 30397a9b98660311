import { pathToFileURL } from "node:url";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { applySettings } from "./sqlite-settings.ts";

// Runs in a thread of its own (sqlite-wipe.ts). `workerData` is the path of the database; the exit code is 0 if nothing that was
// deleted is left in its files. Otherwise the thread says why: a text, or an error that it throws.
const url = pathToFileURL(String(workerData));
// If the file is gone, no new one is made.
url.searchParams.set("mode", "rw");
const database = new DatabaseSync(url, { timeout: 1_000, defensive: true });
try {
  const reason = wipe();
  if (reason !== undefined) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port has no origin
    parentPort?.postMessage(reason);
    process.exitCode = 1;
  }
} finally {
  database.close();
}

/** Why something is left; undefined if nothing is left. */
function wipe(): string | undefined {
  applySettings(database);
  const deletions = countDeletions();
  if (deletions === 0) return undefined;
  database.exec("vacuum");
  if (database.prepare("pragma wal_checkpoint(truncate)").get()?.["busy"] !== 0)
    return "another process reads or writes the store all the time";
  database.exec("begin immediate");
  const isClean = countDeletions() === deletions;
  if (isClean) database.exec("pragma user_version = 0");
  database.exec("commit");
  return isClean ? undefined : "more was deleted meanwhile";
}

function countDeletions(): number {
  return Number(database.prepare("pragma user_version").get()?.["user_version"]);
}
