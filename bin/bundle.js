import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** File of a bundle that says what it was made of: `files` holds the mark of each source by its path, `digest` that of them all. */
export const STAMP = "sources.json";

/** What tells cheaply that a file is another one: its size and its time. Empty if there is no such file. */
export function markOf(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.size} ${stat.mtimeMs}`;
}

/** True if every source of the bundle in `dir` is as it was when the bundle was made. */
export function isFresh(root, dir) {
  try {
    const { files } = JSON.parse(readFileSync(join(dir, STAMP), "utf8"));
    return Object.keys(files).every((path) => markOf(join(root, path)) === files[path]);
  } catch {
    return false; // no bundle, or one that is being replaced: the sources are there
  }
}

/** The bundle's file of that name; undefined if there is none, or the sources are there and it was made of others. */
export function findBundled(root, name, source) {
  const dir = join(root, "dist/server");
  const file = join(dir, name);
  if (!existsSync(file)) return undefined;
  // Node strips no types of what is installed: there are no sources that it could run.
  const canRunSources = !/[\\/]node_modules[\\/]/.test(root) && existsSync(source);
  return !canRunSources || isFresh(root, dir) ? file : undefined;
}
