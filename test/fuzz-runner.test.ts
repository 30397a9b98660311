import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const MAIN = fileURLToPath(new URL("fuzz/main.ts", import.meta.url));
const left: string[] = [];

afterAll(() => {
  for (const file of left) rmSync(file, { force: true });
});

/** Runs the fuzzer; its exit status and what it prints. */
function fuzz(...flags: string[]): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...flags], { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, text: stdout + stderr }),
    );
  });
}

it.each([
  ["throws", "a planted mistake"],
  ["throws later, in nobody's call", "a planted mistake"],
  ["holds the loop", "ms of CPU time"],
  ["ends the process", "it ended with 9"],
])("a target that %s is a finding, and the fuzzer fails", async (how, words) => {
  const { code, text } = await fuzz("--seconds", "20", "--seed", "7", "--target", `planted: ${how}`);
  const file = /left in (\S+)/.exec(text)?.[1];
  if (file !== undefined) left.push(file);
  expect({ code, text }).toMatchObject({ code: 1, text: expect.stringContaining(words) });
  expect(text).toContain("0 passed, 1 failed");
  // A process that is gone can leave nothing; the others leave the very input.
  const kept = file !== undefined && existsSync(file) ? readFileSync(file, "utf8") : "";
  expect(kept).toBe(how === "ends the process" ? "" : "bad");
});

it("the same seed makes the same inputs, and a target without a mistake passes", async () => {
  const [first, second] = await Promise.all([
    fuzz("--seconds", "1", "--seed", "7", "--target", "planted: nothing"),
    fuzz("--seconds", "1", "--seed", "7", "--target", "planted: nothing"),
  ]);
  expect([first.code, second.code]).toEqual([0, 0]);
  expect(first.text).toContain("1 passed, 0 failed");
  const sums = [first, second].map(({ text }) => /first inputs ([0-9a-f]+)/.exec(text)?.[1]);
  expect(sums[0]).toBeDefined();
  expect(sums[1]).toBe(sums[0]);
});
