import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { withoutChromium } from "../console/chromium.ts";
import { reasonToSkipGo } from "../e2e/go/client.ts";
import { pythonOrReason } from "../helpers/python.ts";
import { faultsOf } from "./installed.ts";
import { parsePage, patternOf, type Section, squeeze, VERBS } from "./page.ts";
import { type Place, startDevServer, startKeyServer } from "./servers.ts";
import { makeWorkshop, runSection, type Workshop } from "./workshop.ts";

const docs = join(import.meta.dirname, "../../docs");
const markdown = readFileSync(join(docs, "clients.md"), "utf8");
const sections = parsePage(markdown).filter(({ blocks }) => blocks.length > 0);
const blocks = sections.flatMap((section) => section.blocks);

const { python, skip: noPython } = await pythonOrReason();
const noBrowser = withoutChromium ? "there is no Chromium" : undefined;

/** Why a section can't be run here; under CI what is missing fails instead. */
function reasonToSkip({ blocks }: Section): string | undefined {
  const needs = (pattern: RegExp) => blocks.some(({ language, code }) => pattern.test(`${language} ${code}`));
  if (needs(/^python |^sh python /) && noPython !== undefined) return noPython;
  if (needs(/^go |^sh go /) && reasonToSkipGo() !== undefined) return reasonToSkipGo();
  return needs(/^html /) ? noBrowser : undefined;
}

describe("docs/clients.md", () => {
  it("has a section for each client", () => {
    expect(sections.map(({ title }) => title)).toEqual([
      "curl",
      "buf curl",
      "grpcurl",
      "TypeScript",
      "Browsers",
      "Go",
      "Python",
      "OpenAI's SDKs",
      "The command line",
    ]);
  });

  it("says of every block what is to be done with it, so that each is run or checked", () => {
    const verbs: readonly string[] = VERBS;
    expect(blocks.filter(({ verb }) => !verbs.includes(verb)).map(({ line }) => line)).toEqual([]);
    const programs = blocks.filter(({ language }) => language !== "sh");
    expect(programs.filter(({ verb, file }) => file === "" || verb === "install")).toEqual([]);
  });

  it("shows what comes out in every section", () => {
    const silent = sections.filter((section) => !section.blocks.some(({ output }) => output !== undefined));
    expect(silent.map(({ title }) => title)).toEqual([]);
    const unchecked = blocks.filter(({ verb, output }) => output !== undefined && !/run|serve/.test(verb));
    expect(unchecked.map(({ line }) => line)).toEqual([]);
  });

  const installs = blocks.filter(({ verb }) => verb === "install");
  it.each(installs)("installs at line $line what the tests use", (block) => {
    expect(faultsOf(block)).toEqual([]);
  });

  it("links to pages and headings that exist", () => {
    const broken = [...markdown.matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g)].filter(([, path = "", anchor]) => {
      const target = join(docs, path === "" ? "clients.md" : path);
      return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

/** Names that GitHub gives the headings of a page. */
function anchorsOf(path: string): string[] {
  const headings = readFileSync(path, "utf8").matchAll(/^#+ (.+)$/gm);
  return Array.from(headings, ([, text = ""]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("the comparison of outputs", () => {
  const matches = (actual: string, output: string) => patternOf(output).test(squeeze(actual));

  it("overlooks how lines are broken and what differs from call to call, and nothing else", () => {
    const id = "0fca3ab0-0a51-4f2b-9b5e-3c3a5a1d7d7e";
    expect(matches('{\n  "a": "b c",\n "u": {"x":1} }', '{"a":"b\nc","u":{...}}\n')).toBe(true);
    expect(matches(`id: ${id}/1`, `id: ${id.replaceAll("0", "1")}/1`)).toBe(true);
    expect(matches("one two three", "one three")).toBe(false);
    expect(matches("one two three", "one two")).toBe(false);
    expect(matches("onetwo", "one two")).toBe(false);
  });
});

let workshop: Workshop;
beforeAll(async () => {
  workshop = await makeWorkshop(python);
});

describe.each([
  ["npm start", startDevServer],
  ["a server that wants an API key", startKeyServer],
] as const)("against %s", (_, start) => {
  let place: Place;
  beforeAll(async () => {
    place = await start();
  });

  it("wants a credential, or none", async () => {
    const { status } = await fetch(`${place.url}/v1/models`);
    expect(status).toBe(place.key === undefined ? 200 : 401);
  });

  for (const section of sections) {
    const skip = reasonToSkip(section);
    const note = skip === undefined ? "" : ` (skipped: ${skip})`;
    it.skipIf(skip !== undefined)(`what the page says works: ${section.title}${note}`, async () => {
      expect(await runSection(workshop, section, place)).toEqual([]);
    });
  }
});
