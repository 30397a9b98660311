/**
 * The rules of the tree's layout, as functions from files to what breaks them; test/layout.test.ts applies them to every package.
 * A package imports another one by its name and its entries alone, and declares each package that it needs. Inside a package a
 * folder imports what NEEDS says it needs.
 */
import { posix } from "node:path";

/** Text of files by path from the top of the tree, with forward slashes. */
export type Files = ReadonlyMap<string, string>;

/** One breach of a rule: in which file, and what it is. */
export interface Violation {
  file: string;
  problem: string;
}

/** What a package.json says about imports. */
export interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Lines that a file may have. */
export const MAX_LINES = 300;

/** Folders of the packages, and what is program in them. */
export const PACKAGES = ["protocol", "src", "agent", "clients/ts", "cli", "dev", "web"] as const;

/**
 * Folders of a package, or of one of its folders, and the folders beside them whose files they may import. `.` stands for the files that
 * lie in no folder there. A folder that is named here has rules of its own for what is inside it.
 */
const NEEDS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  protocol: {
    ".": ["link", "rules", "transport", "wire"],
    link: ["rules", "wire"],
    transport: ["rules", "wire"],
    wire: ["rules"],
    rules: [],
  },
  src: {
    ".": ["config", "http", "rpc", "auth", "core", "fleet", "link", "store", "waits"],
    config: [".", "auth", "core", "fleet", "http", "store"],
    http: ["auth", "core", "store"],
    rpc: ["auth", "core", "store"],
    auth: ["core", "store"],
    core: ["fleet", "link", "store", "waits"],
    fleet: ["link", "store", "waits"],
    store: [],
    link: ["waits"],
    waits: [],
  },
  "src/core": {
    ".": ["access", "audit", "config", "registry", "runs", "watch"],
    access: ["."],
    audit: ["."],
    registry: [".", "access"],
    runs: [".", "access", "registry"],
    config: [".", "access", "registry", "runs"],
    watch: [".", "access", "registry"],
  },
  "src/http": {
    ".": ["openai", "rest", "routing", "server"],
    console: ["routing"],
    guard: ["routing"],
    openai: ["routing", "server"],
    rest: ["routing", "server"],
    routing: ["server"],
    server: [],
  },
  "src/rpc": { ".": ["direct", "messages"], direct: [".", "messages"], messages: [] },
  "src/store": {
    ".": ["postgres", "queries", "schema", "sqlite"],
    postgres: [".", "schema"],
    queries: [".", "schema"],
    schema: ["."],
    sqlite: [".", "schema"],
    vault: ["."],
  },
  agent: {
    ".": ["kernel", "link", "openclaw", "runs", "settings"],
    link: ["kernel"],
    kernel: [".", "runs", "settings"],
    openclaw: [".", "runs", "settings"],
    runs: [".", "settings"],
    settings: ["."],
  },
  "clients/ts": { ".": ["src"], src: [] },
  cli: {
    ".": ["client", "doctor", "server", "terminal"],
    doctor: ["client", "server", "terminal"],
    client: ["terminal"],
    server: ["terminal"],
    terminal: [],
  },
  dev: { ".": ["model"], model: [] },
  web: { ".": [], src: [] },
};

/** What calls a server: the client has it, with its rules of retry and resume. */
const CONNECT = ["@connectrpc/connect", "@connectrpc/connect-node", "@connectrpc/connect-web"];

/** Packages that a folder may not import though its package may: the commands and the console speak through the client alone. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  "cli/client": ["@valinor/server", ...CONNECT],
  "cli/doctor": CONNECT,
  "web/src": CONNECT,
};

/** Files that may import what their folder may not. Only a transport of Node trusts a CA (--ca-file) for one server. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = { "cli/client/transport.ts": CONNECT };

/** Modules that turn the environment into settings. */
const ENVIRONMENT_READERS = new Set(["src/config.ts", "agent/settings/flags.ts", "agent/main.ts"]);
/** Folders of commands, which may hand the environment on whole. */
const COMMANDS = /^(cli|dev)\//;
const SETTINGS = /^src\/config(?:\.ts$|\/)/;
/** Those that may import the settings of the control plane: what the layers need is given to them. */
const MAIN = /^src\/(?:[^/]+$|config\/)/;

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

function specifiersOf(text: string): string[] {
  return [STATIC_IMPORT, BARE_IMPORT, DYNAMIC_IMPORT]
    .flatMap((pattern) => [...text.matchAll(pattern)])
    .map((match) => match[1] ?? "");
}

/** Paths that a file imports with a relative specifier, resolved from the top; type imports count as any other. */
export function importsOf(file: string, text: string): string[] {
  return specifiersOf(text)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => posix.join(posix.dirname(file), specifier));
}

/** Packages that a file imports by name, each with the path behind it (`.` or `./entry`). Modules of Node are left out. */
export function packagesOf(text: string): { name: string; entry: string }[] {
  return specifiersOf(text)
    .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
    .map((specifier) => {
      const parts = specifier.split("/");
      const length = specifier.startsWith("@") ? 2 : 1;
      return {
        name: parts.slice(0, length).join("/"),
        entry: ["."].concat(parts.slice(length)).join("/"),
      };
    });
}

/** Relative imports that leave the package, or that go to a folder which the importing one does not need. */
export function findUnneededImports(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) =>
    importsOf(file, text).flatMap((target) => {
      const problem = judgeImport(file, target);
      return problem === undefined ? [] : [{ file, problem }];
    }),
  );
}

/** Imports by name that the package does not declare, that name no entry, or that the folder may not have; and what is declared in vain. */
export function findUndeclaredImports(files: Files, manifests: ReadonlyMap<string, Manifest>): Violation[] {
  const byName = new Map([...manifests.values()].map((manifest) => [manifest.name, manifest]));
  const found: Violation[] = [];
  const used = new Map([...manifests.keys()].map((folder) => [folder, new Set<string>()]));
  for (const [file, text] of files) {
    const folder = packageOf(file);
    const manifest = folder === undefined ? undefined : manifests.get(folder);
    if (folder === undefined || manifest === undefined) {
      found.push({ file, problem: "is in no package: give it one in scripts/layout.ts" });
      continue;
    }
    for (const { name, entry } of packagesOf(text)) {
      used.get(folder)?.add(name);
      if (!Object.hasOwn(manifest.dependencies ?? {}, name))
        found.push({ file, problem: `imports ${name}, which ${folder}/package.json does not name` });
      const own = byName.get(name);
      if (own !== undefined && !hasEntry(own, entry))
        found.push({ file, problem: `imports ${entry} of ${name}, which is not an entry of it` });
      if (FORBIDDEN[folderOf(file)]?.includes(name) && !EXCEPTIONS[file]?.includes(name))
        found.push({ file, problem: `imports ${name}: ${folderOf(file)} may not` });
    }
  }
  for (const [folder, manifest] of manifests)
    for (const name of Object.keys(manifest.dependencies ?? {}))
      if (used.get(folder)?.size !== 0 && used.get(folder)?.has(name) === false)
        found.push({ file: `${folder}/package.json`, problem: `names ${name}, which nothing imports` });
  return found;
}

function hasEntry(manifest: Manifest, entry: string): boolean {
  return Object.keys(manifest.exports ?? {}).some((pattern) =>
    pattern.endsWith("*") ? entry.startsWith(pattern.slice(0, -1)) : pattern === entry,
  );
}

/** Imports of the settings by anything but a main module: what the layers need is given to them. */
export function findConfigImports(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) =>
    !MAIN.test(file) && importsOf(file, text).some((target) => SETTINGS.test(target))
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

/** Reads of the environment outside of the modules that turn it into settings. Commands may hand it on whole. */
export function findEnvironmentReads(files: Files): Violation[] {
  return [...files].flatMap(([file, text]) => {
    if (ENVIRONMENT_READERS.has(file)) return [];
    const rest = COMMANDS.test(file) ? text.replaceAll(WHOLE_ENVIRONMENT, "") : text;
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

function packageOf(path: string): string | undefined {
  return PACKAGES.find((folder) => path.startsWith(`${folder}/`));
}

/** The package's folder and the first one in it: what NEEDS speaks of. */
function folderOf(path: string): string {
  const home = packageOf(path) ?? "";
  const rest = path.slice(home.length + 1).split("/");
  return rest.length > 1 ? `${home}/${rest[0]}` : home;
}

/** The folder that a path goes through right below `home`; `.` if it lies in none. */
function folderWithin(home: string, path: string): string {
  const rest = path.slice(home.length + 1).split("/");
  return rest.length > 1 ? (rest[0] ?? ".") : ".";
}

function judgeImport(file: string, target: string): string | undefined {
  const home = packageOf(file);
  if (home === undefined) return "is in no package: give it one in scripts/layout.ts";
  if (packageOf(target) !== home)
    return `imports ${target} of another package: import that package by its name`;
  return judgeWithin(home, file, target);
}

/** Judges an import inside `home`: between its folders, or else by the rules of the folder that both files are in. */
function judgeWithin(home: string, file: string, target: string): string | undefined {
  const from = folderWithin(home, file);
  const to = folderWithin(home, target);
  if (from === to) {
    const inner = `${home}/${from}`;
    return inner in NEEDS ? judgeWithin(inner, file, target) : undefined;
  }
  const needs = NEEDS[home]?.[from];
  if (needs === undefined) return `is in a folder that scripts/layout.ts does not know: ${from}`;
  // The package's own version stands at its top.
  if (needs.includes(to) || target === `${home}/package.json`) return undefined;
  return `imports ${target}: ${from} of ${home} does not need ${to}`;
}
