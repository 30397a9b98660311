import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  type Files,
  findConfigImports,
  findCycles,
  findDefaultExports,
  findEnvironmentReads,
  findLongFiles,
  findUpwardImports,
  importsOf,
  MAX_LINES,
} from "../scripts/layout.ts";

const TOP = fileURLToPath(new URL("..", import.meta.url));

const tree: Files = new Map(
  globSync(["src/**/*.ts", "agent/**/*.ts"], { cwd: TOP })
    .map((path) => path.replaceAll("\\", "/"))
    .toSorted()
    .map((path) => [path, readFileSync(TOP + path, "utf8")]),
);

const only = (file: string, text: string): Files => new Map([[file, text]]);

describe("importsOf", () => {
  it("sees every form of import, and resolves it from the top", () => {
    const text = [
      `import { a } from "./a.ts";`,
      `import type { B } from "../wire/b.ts";`,
      `import {\n  c,\n  type C,\n} from "../../gen/ts/c.ts";`,
      `import * as d from './d.ts';`,
      `import e, { f } from "./e.ts";`,
      `import "./g.ts";`,
      `export { h } from "./h.ts";`,
      `export * from "./i.ts";`,
      `const j = await import("./j.ts");`,
      `let k: import("./k.ts").K;`,
      `import { join } from "node:path";`,
      ` * import { example } from "../rpc/comment.ts";`,
    ].join("\n");
    expect(importsOf("src/core/x.ts", text).toSorted()).toEqual([
      "gen/ts/c.ts",
      ...["a", "d", "e", "g", "h", "i", "j", "k"].map((name) => `src/core/${name}.ts`),
      "src/wire/b.ts",
    ]);
  });

  it("takes no string of the code for an import", () => {
    const text = `export const hint = { of: 1 };\nlog("imported from", "./x.ts");\n`;
    expect(importsOf("src/core/x.ts", text)).toEqual([]);
  });
});

describe("the order of the layers", () => {
  it("is kept by every file of src and agent", () => {
    expect(tree.size).toBeGreaterThan(10);
    expect(findUpwardImports(tree)).toEqual([]);
  });

  it.each([
    ["src/wire/x.ts", "../transport/dial.ts"],
    ["src/transport/x.ts", "../link/link.ts"],
    ["src/link/x.ts", "../store/store.ts"],
    ["src/store/x.ts", "../agents/registry.ts"],
    ["src/agents/x.ts", "../core/core.ts"],
    ["src/core/x.ts", "../rpc/routes.ts"],
    ["src/core/x.ts", "../auth/jwt.ts"],
    ["src/auth/x.ts", "../http/routes.ts"],
    ["src/core/x.ts", "../server.ts"],
    ["src/rpc/x.ts", "../http/routes.ts"],
    ["src/http/x.ts", "../rpc/routes.ts"],
    ["src/http/x.ts", "../../agent/run.ts"],
    ["src/server.ts", "../agent/run.ts"],
    ["agent/x.ts", "../src/link/link.ts"],
    ["agent/x.ts", "../src/config.ts"],
    ["src/core/x.ts", "../../test/helpers/fake.ts"],
    ["src/unknown/x.ts", "../wire/frame.ts"],
    ["src/cli/dev.ts", "../../clients/ts/src/stream.ts"],
    ["src/rpc/x.ts", "../../clients/ts/src/stream.ts"],
  ])("is broken where %s imports %s", (file, specifier) => {
    expect(findUpwardImports(only(file, `import { y } from "${specifier}";\n`))).toHaveLength(1);
  });

  it.each([
    ["src/wire/x.ts", "../../gen/ts/valinor/link/v1/link_pb.ts"],
    ["src/wire/x.ts", "./frame.ts"],
    ["src/rpc/x.ts", "../core/errors.ts"],
    ["src/http/x.ts", "../link/link.ts"],
    ["src/server.ts", "./http/routes.ts"],
    ["src/server.ts", "./config.ts"],
    ["src/cli/dev.ts", "../../agent/main.ts"],
    ["src/cli/dev.ts", "../../package.json"],
    ["agent/x.ts", "../src/transport/listen.ts"],
    ["src/cli/client/x.ts", "../../../clients/ts/src/stream.ts"],
  ])("allows %s to import %s", (file, specifier) => {
    expect(findUpwardImports(only(file, `import { y } from "${specifier}";\n`))).toEqual([]);
  });
});

describe("the settings", () => {
  it("are imported by main modules alone", () => {
    expect(findConfigImports(tree)).toEqual([]);
  });

  it("are missed in no layer", () => {
    for (const file of ["config.ts", "config/schema.ts"]) {
      const text = `import type { Config } from "../${file}";\n`;
      expect(findConfigImports(only("src/http/x.ts", text))).toHaveLength(1);
      expect(findConfigImports(only("src/cli/x.ts", text))).toEqual([]);
    }
  });
});

describe("imports", () => {
  it("run in no circle", () => {
    expect(findCycles(tree)).toEqual([]);
  });

  it("are told where they do, with the way round", () => {
    const files = new Map([
      ["src/core/a.ts", `import { b } from "./b.ts";\n`],
      ["src/core/b.ts", `import { c } from "./c.ts";\n`],
      ["src/core/c.ts", `import type { B } from "./b.ts";\n`],
    ]);
    const problem = "imports itself: src/core/b.ts -> src/core/c.ts -> src/core/b.ts";
    expect(findCycles(files)).toEqual([{ file: "src/core/b.ts", problem }]);
  });
});

describe("the environment", () => {
  it("is read by the settings alone", () => {
    expect(findEnvironmentReads(tree)).toEqual([]);
  });

  it.each([
    ["src/core/x.ts", `const home = process.env["HOME"];`],
    ["src/core/x.ts", `load({ env: process.env });`],
    ["src/core/x.ts", `const { env } = process;`],
    ["agent/run.ts", `const home = process?.env.HOME;`],
    ["agent/run.ts", `const home = process["env"].HOME;`],
    ["src/link/x.ts", `import { env } from "node:process";`],
    ["src/cli/x.ts", `load({ env: process.env.HOME });`],
  ])("is missed neither in %s: %s", (file, text) => {
    expect(findEnvironmentReads(only(file, text))).toHaveLength(1);
  });

  it("may be handed on whole by a command, and read by the settings", () => {
    expect(
      findEnvironmentReads(only("src/cli/serve.ts", `loadConfig({ flags, env: process.env });`)),
    ).toEqual([]);
    expect(findEnvironmentReads(only("src/config.ts", `const home = process.env["HOME"];`))).toEqual([]);
    expect(findEnvironmentReads(only("agent/flags.ts", `const home = process.env["HOME"];`))).toEqual([]);
  });
});

describe("exports", () => {
  it("have names", () => {
    expect(findDefaultExports(tree)).toEqual([]);
  });

  it.each([`export default function x() {}`, `const x = 1;\nexport { x as default };`])(
    "are told: %s",
    (text) => {
      expect(findDefaultExports(only("src/core/x.ts", text))).toHaveLength(1);
    },
  );
});

describe("files", () => {
  it("are short", () => {
    expect(findLongFiles(tree)).toEqual([]);
  });

  it("are told where they are not", () => {
    expect(findLongFiles(only("src/core/x.ts", "line\n".repeat(MAX_LINES)))).toEqual([]);
    const problem = "has 301 lines, over 300";
    expect(findLongFiles(only("agent/x.ts", "line\n".repeat(301)))).toEqual([
      { file: "agent/x.ts", problem },
    ]);
  });
});
