// Plain JavaScript that old versions of Node can parse: its first task is to get away from them.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { older } from "./version.js";

const NEEDED = "24.18.1";
const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Imports a program's entry and hands it to `run`. If this Node is too old, the program starts again, with the same
 * arguments, on the Node that `npm ci` brought along; if there is none, a message says what to do (exit code 1).
 */
export function launch(entry, run) {
  const started = older(process.versions.node, NEEDED)
    ? import("./restart.js").then(({ restart }) => restart(root, NEEDED))
    : import(pathToFileURL(locate(entry)).href).then(run);
  started.catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

/** Sources run as they are in the repository; Node strips no types under node_modules, so a published build is compiled. */
function locate(entry) {
  const source = join(root, entry);
  const published = join(root, "dist", entry.replace(/\.ts$/, ".js"));
  const installed = /[\\/]node_modules[\\/]/.test(root);
  return existsSync(published) && (installed || !existsSync(source)) ? published : source;
}
