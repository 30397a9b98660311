/**
 * The public API of @valinor/client as one text, clients/ts/api.txt: every export with its signature, from the declarations that the
 * package is built with. A change of the API is then a difference that a reviewer sees. `npm run api:report` writes it anew.
 */
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const top = join(import.meta.dirname, "../..");

/** Where the report is kept. */
export const API_REPORT: string = join(top, "clients/ts/api.txt");

/** Texts of declaration files by their names, such as `index.d.ts`. */
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
  const named = namedBy(exported, declared, new Set(own));
  return [
    HEAD,
    "== Exports ==\n",
    ...exported,
    "== Exports of generated code ==\n",
    `${others.join("\n")}\n`,
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
    const files = globSync(join(folder, "clients/ts/src/*.d.ts"));
    return reportOf(new Map(files.map((file) => [basename(file), readFileSync(file, "utf8")])));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names that the entry exports: of this package, and of another one with where they are from. Both sorted. */
function exportsOf(entry: string): { own: string[]; others: string[] } {
  const own: string[] = [];
  const others: string[] = [];
  for (const [, list = "", from = ""] of entry.matchAll(EXPORT_LIST))
    for (const name of namesOf(list)) {
      if (from.startsWith(".")) own.push(name);
      else others.push(`${name} from ${from}`);
    }
  return { own: own.toSorted(), others: others.toSorted() };
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
      found.set(name, `${statement.trim().replace(/^export (?:declare )?/, "")}\n`);
    }
  }
  return found;
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
