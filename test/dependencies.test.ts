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

describe.each(["package-lock.json", "scripts/openclaw/package/package-lock.json"])("%s", (path) => {
  const { lockfileVersion, packages } = readJson(path) as Lock;
  const entries = Object.entries(packages).filter(([name]) => name !== "");

  test("pins every package by its digest", () => {
    expect(lockfileVersion).toBe(3);
    expect(entries.length).toBeGreaterThan(10);
    // What is in another package's file has that one's digest.
    const own = entries.filter(([, { inBundle }]) => inBundle !== true);
    const loose = own.filter(([, { integrity = "" }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity));
    expect(loose.map(([name]) => name)).toEqual([]);
  });

  test("names no place to get a package from: that is npm's setting, and the digest says whether it is the right one", () => {
    expect(entries.filter(([, { resolved, link }]) => resolved !== undefined || link === true)).toEqual([]);
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

test("every dependency is pinned to one version, and has its reason on docs/dependencies.md", () => {
  const { dependencies, devDependencies } = readJson("package.json") as Record<
    string,
    Record<string, string>
  >;
  const page = readFileSync(join(top, "docs/dependencies.md"), "utf8");
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    expect(`${name} ${version}`).toMatch(/ \d+\.\d+\.\d+$/);
    expect(page).toContain(`\`${name}\``);
  }
});
