/**
 * The rules of the tree's layout, as functions from files to what breaks them; test/layout.test.ts applies them to src and
 * agent. Layers: gen, src/wire, src/transport, src/link, src/store, src/agents, src/core, src/auth, then src/rpc and src/http side
 * by side, then the main modules (src/*.ts, src/config, src/cli). A file imports from its own layer and from earlier ones.
 */
import { posix } from "node:path";

/** Text of files by path from the top of the tree, with forward slashes. */
export type Files = ReadonlyMap<string, string>;

/** One breach of a rule: in which file, and what it is. */
export interface Violation {
  file: string;
  problem: string;
}

/** Lines that a file may have. */
export const MAX_LINES = 300;

const LAYERS: readonly (readonly string[])[] = [
  ["gen"],
  ["src/wire"],
  ["src/transport"],
  ["src/link"],
  ["src/store"],
  ["src/agents"],
  ["src/core"],
  ["src/auth"],
  ["src/rpc", "src/http"],
];
const MAIN = "main module";
const SETTINGS = /^src\/config(?:\.ts$|\/)/;
/** The commands for people are clients like any other: they use the library that others use. */
const LIBRARY = "clients/ts";
const AGENT_IMPORTS = new Set(["agent", "src/wire", "src/transport", "gen"]);
const ENVIRONMENT_READERS = new Set(["src/config.ts", "agent/flags.ts", "agent/main.ts"]);

const STATIC_IMPORT =
  /^[ \t]*(?:import|export)\s+(?:type\s+)?(?:[\w$]+\s*,\s*)?(?:[\w$]+|\*(?:\s*as\s+[\w$]+)?|\{[^}]*\})\s*from\s*["']([^"']+)["']/gm;
const BARE_IMPORT = /^[ \t]*import\s*["']([^"']+)["']/gm;
const DYNAMIC_IMPORT = /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g;
const DEFAULT_EXPORT = /^[ \t]*export\s+(?:default\b|\{[^}]*\bas\s+default\b)/m;
const ENVIRONMENT = [
  /\bprocess\s*(?:\?\.|\.)\s*env\b/,
  /\bprocess\s*\[\s*["'`]env\b/,
  /\{[^}]*\benv\b[^}]*\}\s*(?:=\s*process\b|from\s*["'](?:node:)?process["'])/,
];
const WHOLE_ENVIRONMENT = /\benv: process\.env(?=\s*[,})])/g;

/** Paths that a file imports with a relative specifier, resolved from the top; type imports count as any other. */
export function importsOf(file: string, text: string): string[] {
  return [STATIC_IMPORT, BARE_IMPORT, DYNAMIC_IMPORT]
    .flatMap((pattern) => [...text.matchAll(pattern)])
    .map((match) => match[1] ?? "")
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => posix.join(posix.dirname(file), specifier));
}

/** Imports that go against the order of the layers. */
export function findUpwardImports(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) =>
    importsOf(file, text).flatMap((target) => {
      const problem = judgeImport(file, target);
      return problem === undefined ? [] : [{ file, problem }];
    }),
  );
}

/** Imports of the settings by anything but a main module: what the layers need is given to them. */
export function findConfigImports(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) =>
    placeOf(file) !== MAIN && importsOf(file, text).some((target) => SETTINGS.test(target))
      ? [{ file, problem: "imports the settings, which are for main modules" }]
      : [],
  );
}

/** Circles of imports, each told once, by one of its files. */
export function findCycles(files: Files): Violation[] {
  const found: Violation[] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (finished.has(file)) return;
    const start = path.indexOf(file);
    if (start >= 0) {
      found.push({ file, problem: `imports itself: ${[...path.slice(start), file].join(" -> ")}` });
      return;
    }
    path.push(file);
    for (const target of importsOf(file, files.get(file) ?? "")) {
      if (files.has(target)) visit(target);
    }
    path.pop();
    finished.add(file);
  };
  for (const file of files.keys()) visit(file);
  return found;
}

/** Reads of the environment outside of the modules that turn it into settings. src/cli may hand it on whole. */
export function findEnvironmentReads(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) => {
    if (ENVIRONMENT_READERS.has(file)) return [];
    const rest = file.startsWith("src/cli/") ? text.replaceAll(WHOLE_ENVIRONMENT, "") : text;
    return ENVIRONMENT.some((pattern) => pattern.test(rest))
      ? [{ file, problem: "mentions process.env" }]
      : [];
  });
}

/** Default exports. */
export function findDefaultExports(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) =>
    DEFAULT_EXPORT.test(text) ? [{ file, problem: "has a default export" }] : [],
  );
}

/** Files of more than MAX_LINES lines. */
export function findLongFiles(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) => {
    const lines = text.replace(/\n$/, "").split("\n").length;
    return lines > MAX_LINES ? [{ file, problem: `has ${lines} lines, over ${MAX_LINES}` }] : [];
  });
}

/** The layer's folder, `agent`, MAIN, or undefined for a path that has no place in the order. */
function placeOf(path: string): string | undefined {
  const folder = LAYERS.flat().find((name) => path.startsWith(`${name}/`));
  if (folder !== undefined) return folder;
  if (path.startsWith("agent/")) return "agent";
  if (path.startsWith(`${LIBRARY}/src/`)) return LIBRARY;
  return /^src\/(?:[^/]+$|(?:config|cli)\/)/.test(path) ? MAIN : undefined;
}

function rankOf(place: string): number {
  const rank = LAYERS.findIndex((names) => names.includes(place));
  return rank < 0 ? LAYERS.length : rank;
}

function judgeImport(file: string, target: string): string | undefined {
  if (target === "package.json") return undefined;
  const from = placeOf(file);
  const to = placeOf(target);
  if (from === undefined) return "is in a folder that has no layer: give it one in scripts/layout.ts";
  if (to === undefined) return `imports ${target}, which has no layer`;
  return mayImport(file, from, to) ? undefined : `imports ${target}: ${from} may not import ${to}`;
}

function mayImport(file: string, from: string, to: string): boolean {
  if (from === to) return true;
  if (from === "agent") return AGENT_IMPORTS.has(to);
  if (to === "agent") return file.startsWith("src/cli/");
  if (to === LIBRARY) return file.startsWith("src/cli/client/");
  return rankOf(to) < rankOf(from);
}
