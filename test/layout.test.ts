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
  findUndeclaredImports,
  findUnneededImports,
  importsOf,
  type Manifest,
  MAX_LINES,
  PACKAGES,
  packagesOf,
} from "../scripts/layout.ts";

const TOP = fileURLToPath(new URL("..", import.meta.url));

/** They build a package, and are no part of it. */
const BUILD_SCRIPTS = ["clients/ts/build.ts", "web/vite.config.ts"];

const tree: Files = new Map(
  globSync(
    PACKAGES.map((folder) => `${folder}/**/*.{ts,tsx}`),
    { cwd: TOP, exclude: ["**/node_modules/**", "**/dist/**", ...BUILD_SCRIPTS] },
  )
    .map((path) => path.replaceAll("\\", "/"))
    .toSorted()
    .map((path) => [path, readFileSync(TOP + path, "utf8")]),
);

const manifests = new Map(
  [...PACKAGES, "gen/ts"].map((folder) => [
    folder,
    JSON.parse(readFileSync(`${TOP}${folder}/package.json`, "utf8")) as Manifest,
  ]),
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

describe("packagesOf", () => {
  it("sees packages with and without a scope, and the entry of each", () => {
    const text = [
      `import { pino } from "pino";`,
      `import type { Client } from "@connectrpc/connect";`,
      `import { A } from "@valinor/proto/valinor/v1/types";`,
      `const { dev } = await import("@valinor/dev");`,
      `import { join } from "node:path";`,
    ].join("\n");
    expect(packagesOf(text)).toEqual([
      { name: "pino", entry: "." },
      { name: "@connectrpc/connect", entry: "." },
      { name: "@valinor/proto", entry: "./valinor/v1/types" },
      { name: "@valinor/dev", entry: "." },
    ]);
  });
});

describe("a folder", () => {
  it("of any package imports only what it needs", () => {
    expect(tree.size).toBeGreaterThan(300);
    expect(findUnneededImports(tree)).toEqual([]);
  });

  it.each([
    ["protocol/wire/x.ts", "../transport/dial.ts"],
    ["src/link/x.ts", "../store/store.ts"],
    ["src/store/x.ts", "../fleet/handle.ts"],
    ["src/fleet/x.ts", "../core/core.ts"],
    ["src/core/x.ts", "../rpc/routes.ts"],
    ["src/core/x.ts", "../auth/jwt.ts"],
    ["src/auth/x.ts", "../http/guard.ts"],
    ["src/auth/x.ts", "../fleet/handle.ts"],
    ["src/core/x.ts", "../server.ts"],
    ["src/rpc/x.ts", "../http/guard.ts"],
    ["src/http/x.ts", "../link/link.ts"],
    ["src/http/x.ts", "../../agent/runs/run.ts"],
    ["agent/x.ts", "../src/link/link.ts"],
    ["agent/x.ts", "../protocol/wire/frame.ts"],
    ["src/core/x.ts", "../../test/helpers/fake.ts"],
    ["src/core/x.ts", "../../gen/ts/valinor/v1/types_pb.ts"],
    ["src/unknown/x.ts", "../core/core.ts"],
    ["src/core/access/x.ts", "../audit/audit.ts"],
    ["src/core/unknown/x.ts", "../errors.ts"],
    ["src/http/server/x.ts", "../rest/sse.ts"],
    ["src/http/rest/x.ts", "../openai/answer.ts"],
    ["src/rpc/messages/x.ts", "../unary.ts"],
    ["src/store/queries/x.ts", "../sqlite/sqlite.ts"],
    ["cli/client/x.ts", "../server/serve.ts"],
    ["cli/x.ts", "../clients/ts/src/stream.ts"],
    ["dev/x.ts", "../cli/server/stop.ts"],
    ["web/src/x.ts", "../../clients/ts/src/stream.ts"],
  ])("is told: %s may not import %s", (file, specifier) => {
    expect(findUnneededImports(only(file, `import { y } from "${specifier}";\n`))).toHaveLength(1);
  });

  it.each([
    ["src/rpc/x.ts", "../core/errors.ts"],
    ["src/core/runs/x.ts", "../errors.ts"],
    ["src/core/runs/x.ts", "./names.ts"],
    ["src/http/rest/x.ts", "../routing/body.ts"],
    ["src/http/rest/x.ts", "../../core/runs/names.ts"],
    ["src/server.ts", "./http/guard.ts"],
    ["src/server.ts", "./config.ts"],
    ["agent/version.ts", "./package.json"],
    ["cli/client/x.ts", "../package.json"],
    ["cli/client/agents/x.ts", "../talk/reading.ts"],
  ])("passes: %s may import %s", (file, specifier) => {
    expect(findUnneededImports(only(file, `import { y } from "${specifier}";\n`))).toEqual([]);
  });
});

describe("a package", () => {
  const some = new Map<string, Manifest>([
    [
      "agent",
      {
        name: "@valinor/agent",
        exports: { ".": "./mod.ts" },
        dependencies: { undici: "1", "@valinor/protocol": "1" },
      },
    ],
    ["protocol", { name: "@valinor/protocol", exports: { ".": "./mod.ts", "./gen/*": "./gen/*.ts" } }],
    [
      "cli",
      {
        name: "@valinor/cli",
        dependencies: { "@valinor/server": "1" },
      },
    ],
    ["src", { name: "@valinor/server", exports: { ".": "./mod.ts" } }],
  ]);
  const used = `import "undici";\nimport { y } from "@valinor/protocol";\n`;
  const problemsOf = (file: string, text: string) =>
    findUndeclaredImports(only(file, text), some)
      .filter((found) => found.file === file)
      .map(({ problem }) => problem);

  it("declares what it imports, imports what it declares, and knows of the others their entries alone", () => {
    expect(findUndeclaredImports(tree, manifests)).toEqual([]);
  });

  it("is told what it does not declare", () => {
    expect(problemsOf("agent/x.ts", `${used}import { z } from "zod";\n`)).toEqual([
      "imports zod, which agent/package.json does not name",
    ]);
  });

  it("is told what it declares in vain", () => {
    const file = "agent/package.json";
    const found = findUndeclaredImports(only("agent/x.ts", `import "undici";\n`), some);
    expect(found).toContainEqual({ file, problem: "names @valinor/protocol, which nothing imports" });
  });

  it("is told of an inside of another one that it imports", () => {
    const text = `${used}import { z } from "@valinor/protocol/wire/frame.ts";\n`;
    expect(problemsOf("agent/x.ts", text)).toHaveLength(1);
    expect(problemsOf("agent/x.ts", `${used}import "@valinor/protocol/gen/a";\n`)).toEqual([]);
  });

  it("of commands has the server in the folder for that alone", () => {
    const text = `import { z } from "@valinor/server";\n`;
    expect(problemsOf("cli/server/x.ts", text)).toEqual([]);
    expect(problemsOf("cli/client/talk/x.ts", text)).toHaveLength(1);
  });
});

describe("a program that calls a server", () => {
  const clients = new Map<string, Manifest>(
    ["cli", "web"].map((folder) => [
      folder,
      { name: folder, dependencies: { "@connectrpc/connect": "1", "@connectrpc/connect-node": "1" } },
    ]),
  );
  const problemsOf = (file: string) => {
    const text = `import { createClient } from "@connectrpc/connect";\nimport "@connectrpc/connect-node";\n`;
    return findUndeclaredImports(only(file, text), clients);
  };

  it.each([
    "cli/client/session.ts",
    "cli/client/talk/send.ts",
    "cli/doctor/doctor.ts",
    "web/src/chat/store.ts",
  ])("does so through @valinor/client, and not with calls of its own: %s", (file) => {
    expect(problemsOf(file).map(({ problem }) => problem)).toEqual([
      expect.stringContaining("@connectrpc/connect: "),
      expect.stringContaining("@connectrpc/connect-node: "),
    ]);
  });

  it("may make the client's transport in one file of the commands", () => {
    expect(problemsOf("cli/client/transport.ts")).toEqual([]);
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
      expect(findConfigImports(only("src/config/x.ts", text))).toEqual([]);
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
    ["agent/runs/run.ts", `const home = process?.env.HOME;`],
    ["agent/runs/run.ts", `const home = process["env"].HOME;`],
    ["src/link/x.ts", `import { env } from "node:process";`],
    ["cli/x.ts", `load({ env: process.env.HOME });`],
  ])("is missed neither in %s: %s", (file, text) => {
    expect(findEnvironmentReads(only(file, text))).toHaveLength(1);
  });

  it("may be handed on whole by a command, and read by the settings", () => {
    expect(
      findEnvironmentReads(only("cli/server/serve.ts", `loadConfig({ flags, env: process.env });`)),
    ).toEqual([]);
    expect(findEnvironmentReads(only("src/config.ts", `const home = process.env["HOME"];`))).toEqual([]);
    expect(
      findEnvironmentReads(only("agent/settings/flags.ts", `const home = process.env["HOME"];`)),
    ).toEqual([]);
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

  it("are told if they are not", () => {
    expect(findLongFiles(only("src/core/x.ts", "line\n".repeat(MAX_LINES)))).toEqual([]);
    const problem = "has 301 lines, over 300";
    expect(findLongFiles(only("agent/x.ts", "line\n".repeat(301)))).toEqual([
      { file: "agent/x.ts", problem },
    ]);
  });
});
