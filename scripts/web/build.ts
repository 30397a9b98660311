/**
 * Builds the console (web/) into web/dist. Nothing is done if the output was built from these very sources, so that it may
 * stand in front of every start and every test run: `node scripts/web/build.ts`.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { build } from "vite";
import { licenseTexts, packagesOf } from "../licenses/collect.ts";

const top = join(import.meta.dirname, "../..");
const dist = join(top, "web/dist");
/** Says in the output what it was built from. */
const STAMP = ".sources";
/** Licence texts of all that is in the output; it is not served. */
const LICENSES = "LICENSES.txt";

/** What came of it. */
export interface ConsoleBuild {
  /** Folder with index.html and assets. */
  readonly dir: string;
  /** False if the output was up to date. */
  readonly built: boolean;
}

/**
 * Makes sure that web/dist is what the sources say. It builds aside and swaps at the end, so that who reads meanwhile sees the
 * old output or the new one. Rejects if vite is not installed or a source is broken; the old output then stays.
 */
export async function buildConsole(options: { readonly force?: boolean } = {}): Promise<ConsoleBuild> {
  const digest = sourcesDigest();
  if (options.force !== true && readStamp() === digest) return { dir: dist, built: false };
  const vite = await import("vite");
  mkdirSync(join(top, ".cache"), { recursive: true });
  const fresh = mkdtempSync(join(top, ".cache/console-"));
  try {
    const configFile = join(top, "web/vite.config.ts");
    const built = await vite.build({ configFile, build: { outDir: fresh, emptyOutDir: true } });
    writeFileSync(join(fresh, LICENSES), licenseTexts(packagesOf(modulesOf(built))));
    writeFileSync(join(fresh, STAMP), digest);
    swap(fresh);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return { dir: dist, built: true };
}

/** Bytes of all files of the output as they go over the network, gzip-compressed. */
export function gzippedBytes(dir: string = dist): number {
  const files = globSync("**/*.{html,js,css,svg}", { cwd: dir });
  return files.reduce((sum, file) => sum + gzipSync(readFileSync(join(dir, file)), { level: 9 }).length, 0);
}

/** The modules of which something is in the output. */
function modulesOf(built: Awaited<ReturnType<typeof build>>): string[] {
  if ("close" in built) throw new Error("vite watches and has built nothing");
  const outputs = [built].flat().flatMap(({ output }) => output);
  return outputs.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
}

function swap(fresh: string): void {
  // A temporary folder is its owner's alone; a server may run as somebody else.
  chmodSync(fresh, 0o755);
  const old = `${fresh}-old`;
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(fresh, dist);
  rmSync(old, { recursive: true, force: true });
}

function readStamp(): string | undefined {
  const file = join(dist, STAMP);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Digest of everything that the output is made of; times of files say little after a checkout. */
function sourcesDigest(): string {
  const web = globSync(["web/*.{html,ts,json}", "web/src/**/*"], { cwd: top, withFileTypes: true });
  const files = web.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // Other packages that are bundled into it.
  const bundled = globSync(["gen/ts/**/*.ts", "clients/ts/src/**/*.ts", "protocol/**/*.ts"], {
    cwd: top,
  }).map((file) => join(top, file));
  const hash = createHash("sha256");
  const others = ["package-lock.json", "scripts/licenses/collect.ts"].map((file) => join(top, file));
  for (const file of [...files, ...bundled, ...others].toSorted()) {
    hash.update(file.slice(top.length)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

if (import.meta.main) {
  const { built } = await buildConsole({ force: process.argv.includes("--force") });
  if (built) console.log(`built the console: ${(gzippedBytes() / 1000).toFixed(0)} kB gzipped, web/dist`);
}
