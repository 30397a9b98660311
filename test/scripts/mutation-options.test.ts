import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mutationOptions, testsOf } from "../../scripts/mutation/options.ts";

const root = join(import.meta.dirname, "../..");

describe("the options of the mutation tester", () => {
  test("map a source to the tests at the same path", () => {
    expect(testsOf("agent/runs/journal.ts", false)).toBe("test/agent/runs/journal.test.ts");
    expect(testsOf("src/link", true)).toBe("test/link/**/*.test.ts");
    expect(testsOf("protocol/wire", true)).toBe("test/protocol/wire/**/*.test.ts");
  });

  test("take folders and files, and mutate all sources of a folder", () => {
    const { sources, tests, goal } = mutationOptions(["agent/runs/", "src/link/link.ts"], root);
    expect(sources).toEqual(["agent/runs/**/*.ts", "src/link/link.ts"]);
    expect(tests).toEqual(["test/agent/runs/**/*.test.ts", "test/link/link.test.ts"]);
    expect(goal).toBe(90);
  });

  test("let tests be named in place of those at the same path", () => {
    const args = ["src/link", "--tests", "test/a.test.ts", "--tests", "test/b.test.ts", "--workers", "1"];
    expect(mutationOptions(args, root)).toMatchObject({
      tests: ["test/a.test.ts", "test/b.test.ts"],
      workers: 1,
    });
  });

  test.each([
    [[], "name a folder or a file"],
    [["src/link", "--workers", "many"], "--workers is many: must be a whole number from 1 to 64"],
    [["src/link", "--goal", "101"], "--goal is 101: must be a whole number from 0 to 100"],
    [["src/nowhere"], "no such file"],
    [["--what"], "Unknown option '--what'"],
  ])("refuse %j", (args, message) => {
    expect(() => mutationOptions(args, root)).toThrow(message);
  });
});
