import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { findImpurities } from "../scripts/purity.ts";

const TOP = fileURLToPath(new URL("..", import.meta.url));

/** Where the kernels are: docs/kernel.md. */
const KERNELS = [
  "protocol/link/host/**/*.ts",
  "protocol/link/guest/**/*.ts",
  "protocol/wire/{marks,split-text}.ts",
  "agent/kernel/**/*.ts",
  "agent/runs/**/*.ts",
  "agent/settings/{config-in-force,context,model-settings,tool-policy}.ts",
  "src/fleet/convergence/**/*.ts",
];
/** Files of those folders that are a kernel's driver. */
const DRIVERS: readonly string[] = ["agent/runs/ledger-file.ts"];

const tree = new Map(
  globSync(["protocol/**/*.ts", "src/**/*.ts", "agent/**/*.ts"], {
    cwd: TOP,
    exclude: ["**/node_modules/**", "**/dist/**"],
  })
    .map((path) => path.replaceAll("\\", "/"))
    .map((path) => [path, readFileSync(TOP + path, "utf8")] as const),
);

const kernel = globSync(KERNELS, { cwd: TOP })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => !DRIVERS.includes(path));

describe("the kernel", () => {
  it("does no I/O, reads no clock, draws no random number and knows no promise, nor does what it imports", () => {
    expect(kernel.length).toBeGreaterThan(8);
    expect(findImpurities(tree, kernel)).toEqual([]);
  });
});

describe("findImpurities", () => {
  const problems = (text: string) =>
    findImpurities(new Map([["a.ts", text]]), ["a.ts"]).map(({ problem }) => problem);

  it.each([
    [`import { connect } from "node:net";`, "imports a module of Node"],
    [`const net = await import("node:net");`, "imports a module of Node"],
    [`setTimeout(f, 1);`, "starts a timer"],
    [`setInterval(f, 1);`, "starts a timer"],
    [`setImmediate(f);`, "starts a timer"],
    [`queueMicrotask(f);`, "starts a timer"],
    [`const now = Date.now();`, "reads a clock"],
    [`const now = performance.now();`, "reads a clock"],
    [`const text = \`\${Date.now()}\`;`, "reads a clock"],
    [`const r = Math.random();`, "draws a random number"],
    [`const id = crypto.randomUUID();`, "draws a random number"],
    [`let p: Promise<void>;`, "knows promises"],
    [`const f = async () => {};`, "knows promises"],
    [`process.nextTick(f);`, "asks for the process"],
  ])("sees %s", (text, problem) => {
    expect(problems(text)).toContain(problem);
  });

  it("sees what an imported module does, unless only a type of it is imported", () => {
    const files = new Map([
      [
        "k/a.ts",
        `import { x } from "./b.ts";\nimport { type Y } from "./c.ts";\nimport type { Z } from "./c.ts";`,
      ],
      ["k/b.ts", `export { x } from "../d.ts";`],
      ["k/c.ts", `setTimeout(f, 1);`],
      ["d.ts", `export const x = Date.now();`],
    ]);
    expect(findImpurities(files, ["k/a.ts"])).toEqual([{ file: "d.ts", problem: "reads a clock" }]);
  });

  it("takes a digest or a checksum for what it is: a function of its arguments", () => {
    expect(problems(`import { createHash } from "node:crypto";\nimport { crc32 } from "node:zlib";`)).toEqual(
      [],
    );
    expect(problems(`import { createHash, randomBytes } from "node:crypto";`)).not.toEqual([]);
    expect(problems(`const { createHash } = process.getBuiltinModule("node:crypto");`)).toEqual([]);
    expect(
      problems(`const { createHash, randomBytes } = process.getBuiltinModule("node:crypto");`),
    ).not.toEqual([]);
    expect(problems(`const fs = process.getBuiltinModule("node:fs");`)).not.toEqual([]);
  });

  it("does not mind words in comments and texts", () => {
    expect(
      problems(`/** No Promise, no Date. */\n// async\nconst a = "the process", b = 'Date', c = \`await\`;`),
    ).toEqual([]);
  });
});
