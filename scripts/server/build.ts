/**
 * Builds what `valinor` runs as into dist/server: a few files of JavaScript in place of hundreds of TypeScript, which start three times as
 * fast and need 60 MiB less. bin/launch.js takes them if they were made of the sources that lie there. Nothing is done if they were, so
 * that it may stand in front of every start: `npm run build`.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { isFresh, markOf, STAMP } from "../../bin/bundle.js";
import { licenseTexts, packagesOf } from "../licenses/collect.ts";
import { bundleServer } from "./bundle.ts";

const top = join(import.meta.dirname, "../..");

/** What came of it. */
export interface ServerBuild {
  /** Folder with the bundle. */
  readonly dir: string;
  /** False if the bundle was up to date. */
  readonly built: boolean;
}

/** What decides what is in the bundle, beside the modules that are in it. */
const OTHERS = [
  "package-lock.json",
  "scripts/licenses/collect.ts",
  "scripts/server/build.ts",
  "scripts/server/bundle.ts",
];

/**
 * Makes sure that dist/server is what the sources say. It builds aside and swaps at the end. Rejects if rolldown is not installed or a
 * source is broken; the old output then stays, and is not used any more.
 */
export async function buildServer(options: { readonly force?: boolean } = {}): Promise<ServerBuild> {
  const dir = join(top, "dist/server");
  if (options.force !== true && isUpToDate(dir)) return { dir, built: false };
  mkdirSync(join(top, ".cache"), { recursive: true });
  const fresh = mkdtempSync(join(top, ".cache/server-"));
  try {
    const modules = await bundleServer(fresh);
    writeFileSync(join(fresh, "LICENSES.txt"), licenseTexts(packagesOf(modules)));
    writeStamp(fresh, [...sourcesOf(modules), ...OTHERS]);
    swap(fresh, dir);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return { dir, built: true };
}

/** Files of this tree, by their path from its top. */
function sourcesOf(modules: readonly string[]): string[] {
  const paths = modules.map((id) => relative(top, id).split(sep).join("/"));
  return paths.filter((path) => !/^\.\.|node_modules\/|\0/.test(path) && existsSync(join(top, path)));
}

/** After a checkout files have other times: what counts is their content. */
function isUpToDate(dir: string): boolean {
  if (isFresh(top, dir)) return true;
  const stamp = readStamp(dir);
  if (stamp === undefined || stamp.digest !== digestOf(Object.keys(stamp.files))) return false;
  writeStamp(dir, Object.keys(stamp.files));
  return true;
}

function readStamp(dir: string): { digest: string; files: Record<string, string> } | undefined {
  const file = join(dir, STAMP);
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, "utf8")) as { digest: string; files: Record<string, string> };
}

/** Says in the output what it was made of. */
function writeStamp(dir: string, paths: readonly string[]): void {
  const sorted = [...new Set(paths)].toSorted();
  const files = Object.fromEntries(sorted.map((path) => [path, markOf(join(top, path))]));
  writeFileSync(join(dir, STAMP), JSON.stringify({ digest: digestOf(sorted), files }));
}

function digestOf(paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths) {
    const file = join(top, path);
    hash.update(path).update("\0");
    if (existsSync(file)) hash.update(readFileSync(file));
    hash.update("\0");
  }
  return hash.digest("hex");
}

function swap(fresh: string, dir: string): void {
  const old = `${fresh}-old`;
  mkdirSync(join(dir, ".."), { recursive: true });
  if (existsSync(dir)) renameSync(dir, old);
  renameSync(fresh, dir);
  rmSync(old, { recursive: true, force: true });
}

if (import.meta.main) {
  const { built } = await buildServer({ force: process.argv.includes("--force") });
  if (built) console.log("built the control plane: dist/server");
}
