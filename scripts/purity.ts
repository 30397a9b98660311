import { posix } from "node:path";
import type { Files, Violation } from "./layout.ts";

/** What a kernel may not do, by what it is called in the code; docs/kernel.md has the rules. */
const FORBIDDEN: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bfrom\s*["']node:|\bimport\s*\(?\s*["']node:/, "imports a module of Node"],
  [/\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|\bqueueMicrotask\b/, "starts a timer"],
  [/\bDate\b|\bperformance\b|\bmonotonicNow\b/, "reads a clock"],
  [/\bMath\.random\b|\bcrypto\b|\brandomUUID\b|\brandomBytes\b/, "draws a random number"],
  [/\bPromise\b|\basync\b|\bawait\b/, "knows promises"],
  [/\bAbortSignal\b|\bAbortController\b|\bEventEmitter\b/, "listens for events"],
  [/\bprocess\b/, "asks for the process"],
];

/**
 * Functions of Node whose result depends on their arguments alone, in the two forms in which they are taken: with the module, or when they are
 * first called. A module that takes nothing else of Node stays pure.
 */
const PURE_OF_NODE = new RegExp(
  [
    String.raw`\bimport\s*\{\s*(?:createHash|crc32)\s*\}\s*from\s*["']node:(?:crypto|zlib)["'];?`,
    String.raw`\btypeof import\("node:zlib"\)\.crc32\b`,
    String.raw`\bprocess\.getBuiltinModule\("node:zlib"\)\.crc32\b`,
    String.raw`\bconst \{ createHash \} = process\.getBuiltinModule\("node:crypto"\);`,
  ].join("|"),
  "g",
);

const COMMENTS = /\/\*[\s\S]*?\*\/|(?<=^|[\s;{}(,])\/\/[^\n]*/g;
/** Strings that are no module's name. */
const STRINGS = /(?<!\b(?:from|import)\s*\(?\s*)("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')/g;
/** The text between the `${}` of a template is code, the rest is not. */
const TEMPLATES = /`(?:[^`\\]|\\.)*`/g;
const VALUE_IMPORT = /^[ \t]*(?:import|export)\s+(?!type\b)([^"';]*?)\s*from\s*["'](\.[^"']+)["']/gm;

/** The code of a module, without its comments and texts. */
function codeOf(text: string): string {
  return text
    .replaceAll(COMMENTS, " ")
    .replaceAll(PURE_OF_NODE, " ")
    .replaceAll(TEMPLATES, (template) => [...template.matchAll(/\$\{([^{}]*)\}/g)].map((m) => m[1]).join(";"))
    .replaceAll(STRINGS, '""');
}

/** Modules that a module imports for more than their types, resolved from the top. */
function valueImportsOf(file: string, text: string): string[] {
  return [...text.matchAll(VALUE_IMPORT)]
    .filter(([, names]) => !/^\{(?:\s*type\s+\w+\s*,?)*\}$/.test(names ?? ""))
    .map(([, , specifier]) => posix.join(posix.dirname(file), specifier ?? ""));
}

/** What is impure in the modules of a kernel, and in those of the same package which they import. `files` are the whole tree. */
export function findImpurities(files: Files, kernel: readonly string[]): Violation[] {
  const found: Violation[] = [];
  const seen = new Set<string>();
  const visit = (file: string): void => {
    const text = files.get(file);
    if (text === undefined || seen.has(file)) return;
    seen.add(file);
    const code = codeOf(text);
    for (const [pattern, what] of FORBIDDEN) if (pattern.test(code)) found.push({ file, problem: what });
    for (const target of valueImportsOf(file, text)) visit(target);
  };
  for (const file of kernel) visit(file);
  return found;
}
