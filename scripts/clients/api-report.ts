/**
 * The public API of @valinor/client as one text, clients/ts/api.txt: every export with its signature, from the declarations that the
 * package is built with. A change of the API is then a difference that a reviewer sees. `npm run api:report` writes it anew.
 */
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const top = join(import.meta.dirname, "../..");

/** Where the report is kept. */
export const API_REPORT: string = join(top, "clients/ts/api.txt");

/** Texts of declaration files by their paths from the entry, which is `index.d.ts`. */
export type Declarations = ReadonlyMap<string, string>;

const HEAD = `API of @valinor/client: every export with its signature, without comments.
Made from the sources by \`npm run api:report\`; a test holds it.
`;
const EXPORT_LIST = /^export (?:type )?\{([^}]*)\} from "([^"]+)";/gm;
const DECLARATION =
  /^(?:export )?(?:declare )?(?:abstract )?(?:interface|type|class|function|const|enum) (\w+)/;

/** The report of the declarations of a package whose entry is `index.d.ts`. Throws if an export is declared nowhere. */
export function reportOf(files: Declarations): string {
  const { own, others } = exportsOf(files.get("index.d.ts") ?? "");
  const declared = declarationsOf(files);
  const exported = own.map((name) => {
    const text = declared.get(name);
    if (text === undefined) throw new Error(`${name} is exported, and declared nowhere`);
    return text;
  });
  const generated = others.flatMap(({ name }) => declared.get(name) ?? []);
  const named = namedBy(
    [...exported, ...generated],
    declared,
    new Set([...own, ...others.map(({ name }) => name)]),
  );
  return [
    HEAD,
    "== Exports ==\n",
    ...exported,
    "== Exports of generated code ==\n",
    `${others.map(({ name, from }) => `${name} from ${from}`).join("\n")}\n`,
    ...generated,
    "== Not exported, and named by what is ==\n",
    ...named,
  ].join("\n");
}

/** The report of the sources as they are. */
export function apiReport(): string {
  const folder = mkdtempSync(join(tmpdir(), "valinor-api-"));
  try {
    const tsc = join(top, "node_modules/typescript/bin/tsc");
    const options = ["--emitDeclarationOnly", "--removeComments", "--outDir", folder];
    execFileSync(process.execPath, [tsc, "-p", join(top, "clients/ts/tsconfig.json"), ...options]);
    // The reasons of errors are generated, and as much of the API as what is written by hand; the messages are the proto's.
    const files = globSync(["clients/ts/src/*.d.ts", "gen/ts/reasons.d.ts"], { cwd: folder });
    return reportOf(
      new Map(
        files.map((file) => [relative("clients/ts/src", file), readFileSync(join(folder, file), "utf8")]),
      ),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Other {
  readonly name: string;
  readonly from: string;
}

/** Names that the entry exports: of this package, and of another one. Both sorted. */
function exportsOf(entry: string): { own: string[]; others: Other[] } {
  const own: string[] = [];
  const others: Other[] = [];
  for (const [, list = "", from = ""] of entry.matchAll(EXPORT_LIST))
    for (const name of namesOf(list)) {
      if (from.startsWith(".")) own.push(name);
      else others.push({ name, from });
    }
  return { own: own.toSorted(), others: others.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
}

function namesOf(list: string): string[] {
  const names = list.split(",").map((name) => name.trim().replace(/^type /, ""));
  return names.filter((name) => name !== "");
}

/** Every declaration by its name. A statement of a declaration file begins at the start of a line, and nothing else does. */
function declarationsOf(files: Declarations): Map<string, string> {
  const found = new Map<string, string>();
  for (const [file, text] of files) {
    for (const statement of text.split(/^(?=[a-z])/m)) {
      const name = DECLARATION.exec(statement)?.[1];
      if (name === undefined) continue;
      if (found.has(name)) throw new Error(`${file} declares ${name}, which another file declares too`);
      found.set(name, `${signatureOf(statement)}\n`);
    }
  }
  return found;
}

/** A declaration as the report has it. Of a table only the names of its rows count: they are what types are made of. */
function signatureOf(statement: string): string {
  const text = statement.trim().replace(/^export (?:declare )?/, "");
  return text.startsWith("const ") ? text.replaceAll(/\{\n(?: {8}.*\n)+ {4}\}/g, "{ ... }") : text;
}

/** Declarations that others name, and those that these name in turn; sorted by name. */
function namedBy(
  texts: readonly string[],
  declared: ReadonlyMap<string, string>,
  known: ReadonlySet<string>,
): string[] {
  const found = new Map<string, string>();
  const look = (text: string): void => {
    // Not the names of members, which stand before `(`, `:` or `?:`.
    for (const [word] of text.matchAll(/\b\w+\b(?![(:]|\?:)/g)) {
      const named = declared.get(word);
      if (named === undefined || known.has(word) || found.has(word)) continue;
      found.set(word, named);
      look(named);
    }
  };
  texts.forEach(look);
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
}

if (import.meta.main) {
  writeFileSync(API_REPORT, apiReport());
  console.log("wrote clients/ts/api.txt");
}
