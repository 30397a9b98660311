import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Block } from "./page.ts";

const root = join(import.meta.dirname, "../..");

/** Finds what is wrong with an install line: a package without a version, or another version than the tests use. */
export function faultsOf({ code }: Block): string[] {
  const words = code.split(/[\s"$()]+/).filter((word) => word.includes("/") || /[@=]/.test(word));
  if (words.length === 0) return [`installs nothing: ${code}`];
  return words.filter((word) => !isUsed(word));
}

/** Says whether the tests use exactly this: a folder of the repository, or a package of npm, PyPI or Go with its version. */
function isUsed(word: string): boolean {
  // What a package is built into is there once the line before it has run.
  if (word.startsWith("VALINOR/"))
    return existsSync(join(root, word.slice("VALINOR/".length).replace(/\/dist$/, "")));
  const [, pip] = /^([\w-]+==[\d.]+)$/.exec(word) ?? [];
  if (pip !== undefined) return lines("test/e2e/python/requirements.txt").includes(pip);
  const [, name = "", version = ""] = /^(@?[^@]+)@v?(\d[\w.-]*)$/.exec(word) ?? [];
  if (!word.includes("@v")) return manifest()[name] === version;
  const required = lines("test/e2e/grpcurl/go.mod").map((line) => line.trim().split(" "));
  return required.some(([module = "", used]) => name.startsWith(`${module}/`) && used === `v${version}`);
}

function manifest(): Record<string, string> {
  const text = readFileSync(join(root, "package.json"), "utf8");
  const { dependencies, devDependencies } = JSON.parse(text) as Record<string, Record<string, string>>;
  return { ...dependencies, ...devDependencies };
}

function lines(path: string): string[] {
  return readFileSync(join(root, path), "utf8").split("\n");
}
