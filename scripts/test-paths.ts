import { existsSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

/** Where the tests of a file of the programs stand: at its path under test/, without the folders `src` of the packages. */
export function testsOf(file: string): string[] {
  const mirrored = file
    .replace(/^src\//, "")
    .replace(/^(clients\/ts|web)\/src\//, "$1/")
    .replace(/\.tsx?$/, "");
  return [".test.ts", ".test.tsx", ".property.test.ts"].map((ending) => `test/${mirrored}${ending}`);
}

/** True for a file that has code of its own: not for types alone, nor for an entry that only names what others export. */
export function hasCode(file: string, text: string): boolean {
  if (file.endsWith(".tsx")) return true;
  const code = stripTypeScriptTypes(text)
    .replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "")
    .replaceAll(/^\s*(?:import|export)\b[^;(]*?from\s*"[^"]*";/gm, "")
    .replaceAll(/^\s*export\s*\{\s*\};?|;/gm, "");
  return code.trim() !== "";
}

/** Of the files with code of one package: how many there are, and those for which no test stands at their path. */
export function untested(
  files: ReadonlyMap<string, string>,
  root: string,
): { all: number; without: string[] } {
  const rules = [...files].filter(([file, text]) => hasCode(file, text)).map(([file]) => file);
  const without = rules.filter((file) => !testsOf(file).some((test) => existsSync(join(root, test))));
  return { all: rules.length, without };
}
