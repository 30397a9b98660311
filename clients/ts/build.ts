/**
 * Builds the package that is published, into dist: the library and the generated code that it stands on, compiled, with a package.json
 * of its own. What the workspace imports is the sources. `npm run build`, then `npm pack ./dist`.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import generated from "../../gen/ts/package.json" with { type: "json" };
import manifest from "./package.json" with { type: "json" };

const home = import.meta.dirname;
const GENERATED = "@valinor/proto/";

/** Builds into a folder, which is emptied first. Default: dist. */
export function buildClient(out = join(home, "dist")): void {
  rmSync(out, { recursive: true, force: true });
  const tsc = join(home, "../../node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", join(home, "tsconfig.json"), "--outDir", out], {
    stdio: "inherit",
  });
  for (const file of globSync("clients/ts/src/*.{js,d.ts}", { cwd: out })) inline(out, join(out, file));
  for (const file of ["README.md", "LICENSE"]) copyFileSync(join(home, file), join(out, file));
  writeFileSync(join(out, "package.json"), `${JSON.stringify(published(), null, 2)}\n`);
}

/** The generated code is part of this package, and not another one to install. */
function inline(out: string, file: string): void {
  const text = readFileSync(file, "utf8").replaceAll(
    new RegExp(`"${GENERATED}([^"]+)"`, "g"),
    (_, name: string) => JSON.stringify(relative(dirname(file), join(out, "gen/ts", fileOf(name)))),
  );
  if (text.includes(GENERATED)) throw new Error(`${file} still imports ${GENERATED}`);
  writeFileSync(file, text);
}

/** The compiled file behind an entry of the generated code. */
function fileOf(entry: string): string {
  const own = Object.entries(generated.exports).find(([name]) => name === `./${entry}`)?.[1];
  return (own ?? generated.exports["./*"].replace("*", entry)).replace(/\.ts$/, ".js");
}

function published(): object {
  const { private: _private, scripts: _scripts, dependencies, ...rest } = manifest;
  const entry = (path: string) => ({ types: `./${path}.d.ts`, default: `./${path}.js` });
  return {
    ...rest,
    files: ["clients", "gen"],
    exports: {
      ".": entry("clients/ts/src/index"),
      "./gen/agent_proxy": entry("gen/ts/valinor/v1/agent_proxy_pb"),
      "./gen/agent_registry": entry("gen/ts/valinor/v1/agent_registry_pb"),
      "./gen/types": entry("gen/ts/valinor/v1/types_pb"),
    },
    dependencies: Object.fromEntries(
      Object.entries({ ...generated.dependencies, ...dependencies }).filter(
        ([name]) => !name.startsWith("@valinor/"),
      ),
    ),
  };
}

if (import.meta.main) buildClient();
