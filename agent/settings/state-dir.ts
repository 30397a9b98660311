import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { errorName, type Log } from "../log.ts";
import type { AgentOptions } from "./options.ts";
import { errorText } from "@valinor/protocol";

/** A directory that this agent alone keeps its state in. */
export interface StateDir {
  readonly path: string;
  /** Lets another agent have it; does nothing the second time. */
  release(): void;
}

/** SQLite's code for a file that another connection has locked. */
const SQLITE_BUSY = 5;

/**
 * Makes the state directory if it is missing, and takes it for this agent, for as long as its process lives. Undefined if none is
 * asked for, or the one that is asked for by default cannot be used: what is remembered then is gone with the process, and the log says
 * so. Rejects with Error if another agent has the directory, or if somebody asked for this one and it cannot be used.
 */
export async function openStateDir(
  { stateDir, stateDirByDefault }: Pick<AgentOptions, "stateDir" | "stateDirByDefault">,
  log: Log,
): Promise<StateDir | undefined> {
  if (stateDir === undefined) {
    warn("none was given");
    return undefined;
  }
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    return { path: stateDir, release: lock(stateDir) };
  } catch (error) {
    if (error instanceof InUseError || stateDirByDefault !== true) throw error;
    warn(`${stateDir} cannot be used: ${errorName(error)}`);
    return undefined;
  }

  function warn(reason: string): void {
    const effect = "after a restart of the agent a request that it has taken runs again";
    log.warn("no_state_dir", { reason, effect, hint: "give it --state-dir" });
  }
}

/** Another agent has the directory. */
class InUseError extends Error {
  override readonly name = "InUseError";
}

/**
 * Locks the directory; answers what unlocks it. SQLite is what Node has of locks that end with their process, however that ends; the file
 * stays empty. Two agents with one ledger would each not know what the other has taken.
 */
function lock(dir: string): () => void {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = new DatabaseSync(join(dir, "lock"), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { errcode?: unknown }).errcode !== SQLITE_BUSY) throw error;
    throw new InUseError(
      `another agent uses ${dir}: give this one a --state-dir of its own (${errorText(error)})`,
      { cause: error },
    );
  }
  return () => {
    if (database.isOpen) database.close();
  };
}
