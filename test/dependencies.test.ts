import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const top = join(import.meta.dirname, "..");

interface Lock {
  lockfileVersion: number;
  packages: Record<
    string,
    {
      version?: string;
      inBundle?: boolean;
      integrity?: string;
      resolved?: string;
      link?: boolean;
      dev?: boolean;
      hasInstallScript?: boolean;
    }
  >;
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(join(top, path), "utf8"));

/** Folders of the packages of this repository. */
const { workspaces } = readJson("package.json") as { workspaces: string[] };

describe.each(["package-lock.json", "scripts/openclaw/package/package-lock.json"])("%s", (path) => {
  const { lockfileVersion, packages } = readJson(path) as Lock;
  // The packages of this repository are folders of it, and links to them.
  const entries = Object.entries(packages).filter(
    ([name, { link }]) => name !== "" && !workspaces.includes(name) && link !== true,
  );

  test("pins every package by its digest", () => {
    expect(lockfileVersion).toBe(3);
    expect(entries.length).toBeGreaterThan(10);
    // What is in another package's file has that one's digest.
    const own = entries.filter(([, { inBundle }]) => inBundle !== true);
    const loose = own.filter(([, { integrity = "" }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity));
    expect(loose.map(([name]) => name)).toEqual([]);
  });

  test("names no place to get a package from: that is npm's setting, and the digest says whether it is the right one", () => {
    expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
    const links = Object.values(packages).filter(({ link }) => link === true);
    expect(links.filter(({ resolved = "" }) => !workspaces.includes(resolved))).toEqual([]);
    expect(readFileSync(join(top, path), "utf8")).not.toMatch(/https?:\/\/[^"]*\.tgz|git\+|file:/);
  });
});

test("no production dependency runs a script when it is installed", () => {
  const { packages } = readJson("package-lock.json") as Lock;
  const scripted = Object.entries(packages).filter(
    ([, { dev, hasInstallScript }]) => hasInstallScript === true && dev !== true,
  );
  expect(scripted.map(([name]) => name)).toEqual([]);
});

interface Manifest {
  version: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

describe.each(["", ...workspaces])("the package in ./%s", (folder) => {
  const manifest = readJson(join(folder, "package.json")) as Manifest;
  const needs = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });

  test("pins every dependency to one version, which has its reason on docs/dependencies.md", () => {
    const page = readFileSync(join(top, "docs/dependencies.md"), "utf8");
    expect(needs.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    const others = needs.map(([name]) => name).filter((name) => !name.startsWith("@valinor/"));
    expect(others.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  test("has the version of all, and takes the others of this repository in that version", () => {
    const { version } = readJson("package.json") as Manifest;
    expect(manifest.version).toBe(version);
    expect(needs.filter(([name, wanted]) => name.startsWith("@valinor/") && wanted !== version)).toEqual([]);
  });

  test("agrees with the others on the version of each dependency", () => {
    const clashes = workspaces.flatMap((other) => {
      const theirs = (readJson(join(other, "package.json")) as Manifest).dependencies ?? {};
      return needs
        .filter(([name, version]) => (theirs[name] ?? version) !== version)
        .map(([name]) => `${name} in ${other}`);
    });
    expect(clashes).toEqual([]);
  });
});
