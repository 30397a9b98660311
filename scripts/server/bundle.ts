import { join } from "node:path";
import { rolldown } from "rolldown";

const top = join(import.meta.dirname, "../..");

/**
 * What the bundle is entered by, and the file of each: the programs, and what is started from a file of its own, by a thread or with
 * `--import`. All files of the bundle lie in one folder, where these find each other.
 */
const ENTRIES = {
  valinor: "bin/main.ts",
  "valinor-agent": "agent/main.ts",
  "sqlite-wipe-worker": "src/store/sqlite/sqlite-wipe-worker.ts",
  "parent-watch": "dev/parent-watch.ts",
};

/**
 * Bundles the commands of `valinor` and all that they import into a folder, with source maps. What a command imports when it runs stays
 * apart, so that it is loaded by that command alone. Rejects if an import can't be found. Resolves with the modules that are in it, as the
 * bundler names them.
 */
export async function bundleServer(dir: string): Promise<readonly string[]> {
  const bundle = await rolldown({
    input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, join(top, file)])),
    cwd: top,
    platform: "node",
    external: [/^node:/],
    onLog(level, log) {
      // What a bundler warns of, an import that is missing above all, would fail while it serves.
      throw new Error(`${level}: ${log.message}`);
    },
  });
  const { output } = await bundle.write({
    dir,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    // Names stay as they are written: stacks show those of functions, and errors are told apart by those of classes.
    minify: {
      compress: { keepNames: { function: true, class: true } },
      mangle: { keepNames: true },
      codegen: { removeWhitespace: true },
    },
    sourcemap: true,
    sourcemapExcludeSources: true,
    comments: { legal: true },
  });
  await bundle.close();
  return output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
}
