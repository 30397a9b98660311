import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { bundleAgent } from "../../scripts/agent/bundle.ts";
import { bundleServer } from "../../scripts/server/bundle.ts";
import { agentSbom, productionSbom } from "../../scripts/sbom.ts";
import { buildConsole } from "../../scripts/web/build.ts";
import { tempDir } from "../helpers/cleanup.ts";

const top = join(import.meta.dirname, "../..");
const dist = join(top, "dist/agent");

const sha256 = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

/** Builds a copy of the sources in that folder, and gives the digests of what comes of it. */
function buildIn(folder: string): Record<string, string> {
  mkdirSync(folder, { recursive: true });
  for (const name of ["agent", "bin", "gen", "protocol", "scripts", "package.json", "LICENSE"])
    cpSync(join(top, name), join(folder, name), { recursive: true });
  linkModules(folder);
  const script = join(folder, "scripts/agent/build.ts");
  const { status, stderr } = spawnSync(process.execPath, [script], {
    cwd: folder,
    encoding: "utf8",
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`the build ended with ${status}: ${stderr}`);
  return digests(join(folder, "dist/agent"));
}

/** The installed packages, but for those of the repository, which are the copies. */
function linkModules(folder: string): void {
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@valinor"), { recursive: true });
  for (const name of readdirSync(join(top, "node_modules")))
    if (name !== "@valinor") symlinkSync(join(top, "node_modules", name), join(modules, name));
  symlinkSync(join(folder, "protocol"), join(modules, "@valinor/protocol"));
  symlinkSync(join(folder, "gen/ts"), join(modules, "@valinor/proto"));
}

function digests(folder: string): Record<string, string> {
  const files = ["valinor-agent", "valinor-agent.cjs", "LICENSES.txt"].map((name) => join(folder, name));
  return Object.fromEntries(files.map((file) => [basename(file), sha256(file)]));
}

test("two builds of the agent, in other folders, are equal byte by byte", { timeout: 300_000 }, () => {
  const first = digests(dist);
  expect(buildIn(join(tempDir(), "a"))).toEqual(first);
  expect(buildIn(join(tempDir(), "a-longer-name/and-another"))).toEqual(first);
});

/** Names of packages in paths of modules. */
function packageNames(paths: readonly string[]): string[] {
  return [
    ...new Set(paths.flatMap((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [])),
  ];
}

function version(name: string): string {
  return (
    JSON.parse(readFileSync(join(top, "node_modules", name, "package.json"), "utf8")) as { version: string }
  ).version;
}

describe("licence texts", () => {
  test("of everything in the agent's files stand beside them, those of Node and of what it holds included", async () => {
    const bundled = packageNames(await bundleAgent(join(tempDir(), "agent.cjs")));
    expect(bundled).toContain("ws");
    const text = readFileSync(join(dist, "LICENSES.txt"), "utf8");
    for (const name of bundled)
      expect(text).toMatch(new RegExp(`^${name} ${version(name)}\nLicense: \\S+`, "m"));
    expect(text).toContain(`Node.js ${process.versions.node}`);
    expect(text).toContain("Copyright Fedor Indutny, 2018.");
    expect(text).toContain("Copyright (c) Matteo Collina and Undici contributors");
  });

  test("of everything in the control plane's bundle stand beside it", async () => {
    const bundled = packageNames(await bundleServer(tempDir()));
    for (const name of ["@connectrpc/connect-node", "kysely", "pg", "pino", "zod"])
      expect(bundled).toContain(name);
    const text = readFileSync(join(top, "dist/server/LICENSES.txt"), "utf8");
    for (const name of bundled.filter((each) => !each.startsWith("@valinor/")))
      expect(text).toMatch(new RegExp(`^${name} ${version(name)}\nLicense: \\S+`, "m"));
    expect(text).toContain("Brian M. Carlson");
  });

  test("of everything in the console stand in its build", async () => {
    const { dir } = await buildConsole();
    const text = readFileSync(join(dir, "LICENSES.txt"), "utf8");
    for (const name of [
      "preact",
      "@preact/signals",
      "@connectrpc/connect",
      "@connectrpc/connect-web",
      "@bufbuild/protobuf",
    ])
      expect(text).toMatch(new RegExp(`^${name} ${version(name)}\nLicense: `, "m"));
    expect(text).toContain("Copyright 2008 Google Inc.");
    expect(text).toContain("Apache License");
  });

  test("of the schemas of others stand beside them", () => {
    expect(readFileSync(join(top, "third_party/LICENSE"), "utf8")).toContain("Apache License");
    expect(existsSync(join(top, "third_party/README.md"))).toBe(true);
  });
});

describe("the list of what Valinor is made of", () => {
  const lock = JSON.parse(readFileSync(join(top, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string; name?: string; dev?: boolean; link?: boolean }>;
  };

  test("has every production dependency that is installed, with its digest, and the packages of this repository", () => {
    const wanted = Object.entries(lock.packages)
      .filter(([path, { dev, link }]) => path !== "" && dev !== true && link !== true)
      .filter(([path]) => existsSync(join(top, path)))
      .map(([path, entry]) => `${entry.name ?? path.replace(/.*node_modules\//, "")}@${entry.version}`);
    const { components, ...rest } = productionSbom();
    expect(components.map(({ name, version: is }) => `${name}@${is}`).toSorted()).toEqual(wanted.toSorted());
    expect(rest).toMatchObject({ bomFormat: "CycloneDX", metadata: { component: { name: "valinor" } } });
    for (const component of components) expect(component).toMatchObject({ purl: expect.any(String) });
    const loose = components.filter((component) => !("hashes" in component)).map(({ name }) => name);
    expect(loose.filter((name) => !name.startsWith("@valinor/"))).toEqual([]);
    expect(productionSbom()).toEqual({ components, ...rest });
  });

  test("for the agent has what is bundled, and its Node", async () => {
    const bundled = packageNames(await bundleAgent(join(tempDir(), "agent.cjs")));
    const { components, dependencies } = await agentSbom(productionSbom());
    expect(components.map(({ name }) => name).toSorted()).toEqual([...bundled, "node"].toSorted());
    expect(dependencies.map(({ ref }) => ref).toSorted()).toEqual(
      bundled.map((name) => `${name}@${version(name)}`).toSorted(),
    );
  });
});
