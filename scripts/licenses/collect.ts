/** Licence texts of what is bundled: whoever passes a bundle on passes them on with it. */
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** A package of which something is in a bundle. */
export interface Bundled {
  readonly name: string;
  readonly version: string;
  /** Its licence as an SPDX expression. */
  readonly license: string;
  readonly folder: string;
}

const top = join(import.meta.dirname, "../..");

/** What bundlers add of their own, by how they name it. */
const RUNTIMES = new Map([
  ["\0rolldown/", "rolldown"],
  ["\0vite/", "vite"],
]);

/** Names of the file with a package's licence. */
const FILE = /^(licen[sc]e|copying)(\.md|\.txt)?$/i;

/** Files of packages that have in their head the licence of what they took from somewhere else. */
const HEADS = new Map([["@bufbuild/protobuf", "dist/esm/wire/varint.js"]]);

/** The packages that a bundle's modules (paths, as a bundler names them) are of, sorted by name. */
export function packagesOf(modules: readonly string[]): Bundled[] {
  const folders = new Set<string>();
  for (const id of modules) {
    const runtime = [...RUNTIMES].find(([prefix]) => id.startsWith(prefix))?.[1];
    const path = id.replaceAll("\\", "/").replace(/^\0/, "");
    const inPackage = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
    if (runtime !== undefined) folders.add(join(top, "node_modules", runtime));
    else if (inPackage !== undefined) folders.add(inPackage);
  }
  return [...folders].map(readPackage).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function readPackage(folder: string): Bundled {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as Bundled;
  return { name, version, license, folder };
}

/** One text with the licence of each package. Throws if a package has none that is known. */
export function licenseTexts(packages: readonly Bundled[]): string {
  return packages.map((each) => section(`${each.name} ${each.version}`, each.license, textOf(each))).join("");
}

/** The licence of the Node that runs this, and of all that is in it. Throws if it does not stand beside its program. */
export function nodeLicense(): string {
  const file = join(dirname(realpathSync(process.execPath)), "../LICENSE");
  if (!existsSync(file))
    throw new Error(`Node's licence is not at ${file}: build with the Node that npm ci brings`);
  return section(`Node.js ${process.versions.node}`, "MIT and others", readFileSync(file, "utf8"));
}

function section(title: string, license: string, text: string): string {
  return `${"=".repeat(80)}\n${title}\nLicense: ${license}\n${"=".repeat(80)}\n\n${text.trim()}\n\n`;
}

function textOf({ name, license, folder }: Bundled): string {
  const file = readdirSync(folder).find((entry) => FILE.test(entry));
  const texts = file === undefined ? [] : [readFileSync(join(folder, file), "utf8")];
  // Apache's has no names in it, so that many packages leave it out: ours is the same.
  if (file === undefined && /\bApache-2\.0\b/.test(license))
    texts.push(readFileSync(join(top, "LICENSE"), "utf8"));
  if (texts.length === 0) texts.push(...inReadme(folder));
  const head = HEADS.get(name);
  if (head !== undefined) texts.push(headOf(join(folder, head)));
  if (texts.length === 0)
    throw new Error(`${name} (${license}) has no licence text: add one to scripts/licenses`);
  return texts.join("\n\n");
}

/** The section of a package's readme that is its licence, if there is one: some packages have it nowhere else. */
function inReadme(folder: string): string[] {
  const file = readdirSync(folder).find((entry) => /^readme\.md$/i.test(entry));
  const readme = file === undefined ? "" : readFileSync(join(folder, file), "utf8");
  const text = /^##? licen[sc]e\n(.*?)(?=^##? |(?![\s\S]))/ims.exec(readme)?.[1]?.trim() ?? "";
  return /permission is hereby granted/i.test(text) ? [text] : [];
}

/** The comment that a file begins with. */
function headOf(file: string): string {
  const lines = readFileSync(file, "utf8").split("\n");
  const head = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith("//")),
  );
  if (!head.join().includes("Redistribution")) throw new Error(`${file} begins with no licence any more`);
  return head.map((line) => line.replace(/^\/\/ ?/, "")).join("\n");
}
