import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const TOP = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(`${TOP}CONTRIBUTING.md`, "utf8");
const { scripts, workspaces } = JSON.parse(readFileSync(`${TOP}package.json`, "utf8")) as {
  scripts: Record<string, string>;
  workspaces: string[];
};

const matches = (pattern: RegExp): string[] => [...page.matchAll(pattern)].map(([, found = ""]) => found);

describe("CONTRIBUTING.md", () => {
  it("names files and folders that are there", () => {
    const folders = "src|agent|protocol|proto|clients|cli|web|dev|docs|scripts|gen|test|bench";
    const named = matches(new RegExp(`[\\s\`(]((?:${folders})/[\\w./-]*\\w)`, "g"));
    // What a build writes, and the tags of Go modules.
    const made = /\/dist$|\/v[XY]|^gen\/go\/v/;
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((path) => !made.test(path) && !existsSync(TOP + path))).toEqual([]);
  });

  it("names scripts of npm that are there", () => {
    const named = [...matches(/npm run ([\w:]+)/g), ...matches(/`(test:[\w]+)/g)];
    expect(named.length).toBeGreaterThan(15);
    // `npm run build` is the client's.
    expect(named.filter((name) => name !== "build" && !Object.hasOwn(scripts, name))).toEqual([]);
  });

  it("says how many versions a release changes: all packages have one", () => {
    const manifests = [
      `${TOP}package.json`,
      ...globSync(workspaces.map((folder) => `${TOP}${folder}/package.json`)),
    ];
    const versions = manifests.map(
      (file) => (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version,
    );
    expect(versions).toHaveLength(workspaces.length + 1);
    expect(new Set(versions).size).toBe(1);
  });
});
