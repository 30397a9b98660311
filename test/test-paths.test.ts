import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasCode, testsOf, untested } from "../scripts/test-paths.ts";

const root = join(import.meta.dirname, "..");

/** Least part of a package's files with code that have a test at their path, percent. To be raised, never lowered. */
const LEAST = {
  protocol: 80,
  agent: 50,
  src: 45,
  "clients/ts": 50,
  cli: 15,
  dev: 10,
  web: 15,
} as const;

/** Folders whose files hold the rules of a kernel: each has its test. */
const KERNELS = /^(?:protocol\/(?:link|rules)|agent\/kernel|src\/fleet\/convergence)\//;
/** Held by the tests of what they are a part of. */
const PARTS = new Set([
  "src/fleet/convergence/context-step.ts",
  "src/fleet/convergence/facts.ts",
  "src/fleet/convergence/knowledge.ts",
  "src/fleet/convergence/rounds.ts",
  "src/fleet/convergence/told.ts",
  "src/fleet/convergence/view.ts",
]);

const filesOf = (folder: string) =>
  new Map(
    globSync(`${folder}/**/*.{ts,tsx}`, { cwd: root, exclude: ["**/node_modules/**", "**/dist/**"] })
      .filter((file) => !/\.config\.ts$|\/build\.ts$/.test(file))
      .toSorted()
      .map((file) => [file, readFileSync(join(root, file), "utf8")]),
  );

describe("the test of a file", () => {
  it("stands at its path", () => {
    expect(testsOf("agent/runs/journal.ts")[0]).toBe("test/agent/runs/journal.test.ts");
    expect(testsOf("src/link/link.ts")[0]).toBe("test/link/link.test.ts");
    expect(testsOf("clients/ts/src/retry.ts")[0]).toBe("test/clients/ts/retry.test.ts");
    expect(testsOf("web/src/chat/answer.tsx")[1]).toBe("test/web/chat/answer.test.tsx");
  });

  it("is asked for if the file has code, and not if it has types alone or is an entry", () => {
    expect(hasCode("a.ts", "export function f(): void {}\n")).toBe(true);
    expect(hasCode("a.ts", "export const LIMIT = 1;\n")).toBe(true);
    expect(hasCode("a.ts", "export class A {}\n")).toBe(true);
    expect(
      hasCode("a.ts", "/** A function. */\nexport interface A {\n  f(): void;\n  g: () => void;\n}\n"),
    ).toBe(false);
    expect(hasCode("a.ts", 'export type A = "a" | "b";\nimport type { B } from "./b.ts";\n')).toBe(false);
    expect(hasCode("a.ts", 'export { a } from "./a.ts";\n// const in a comment\n')).toBe(false);
  });
});

describe("the files with code", () => {
  it.each(Object.entries(LEAST))(
    "of %s: at least %i in a hundred have a test at their path",
    (folder, least) => {
      const { all, without } = untested(filesOf(folder), root);
      const percent = Math.floor((100 * (all - without.length)) / all);
      expect(
        percent,
        `${percent} % of ${all} have one; these have none:\n${without.join("\n")}`,
      ).toBeGreaterThanOrEqual(least);
    },
  );

  it("of the kernels all have a test at their path, but for parts that are tested as a whole", () => {
    const found = ["protocol", "agent", "src"]
      .flatMap((folder) => untested(filesOf(folder), root).without)
      .filter((file) => KERNELS.test(file) && !PARTS.has(file));
    expect(found).toEqual([]);
  });
});
