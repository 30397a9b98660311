// Plain JavaScript that old versions of Node can parse: its first task is to get away from them.
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { older } from "./version.js";

const NEEDED = "24.18.1";
const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Imports a program's entry and hands it to `run`: from the bundle `bundled` if that is up to date, else from the sources. Where this Node is
 * too old the program starts again, with the same arguments, on the Node that `npm ci` brought along; if there is none, a message says
 * what to do (exit code 1).
 */
export function launch(entry, bundled, run) {
  const started = older(process.versions.node, NEEDED)
    ? import("./restart.js").then(({ restart }) => restart(root, NEEDED))
    : load(entry, bundled).then(run);
  started.catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

async function load(entry, bundled) {
  const source = join(root, entry);
  const { findBundled } = await import("./bundle.js");
  const file = findBundled(root, bundled, source);
  if (file !== undefined) (await import("./stacks.js")).traceSources(dirname(file));
  return import(pathToFileURL(file ?? source).href);
}
