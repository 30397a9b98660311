import { expect, test } from "vitest";
import { type RunReport, tally } from "../../scripts/flaky/tally.ts";

/** A run with one file, whose tests ended as given. */
function runWith(statuses: Record<string, "passed" | "failed">, fileStatus = "passed"): RunReport {
  return {
    testResults: [
      {
        name: "/tree/test/a.test.ts",
        status: fileStatus,
        message: "Error: no such module\n at line 1",
        assertionResults: Object.entries(statuses).map(([fullName, status]) => ({
          fullName,
          status,
          failureMessages: status === "failed" ? [`${fullName} broke\n at line 2`] : null,
        })),
      },
    ],
  };
}

test("the tally of runs names each test that failed with its seeds, the most frequent first", () => {
  const runs = new Map([
    [1, runWith({ one: "passed", two: "failed" }, "failed")],
    [2, runWith({ one: "failed", two: "failed" }, "failed")],
    [3, runWith({ one: "passed", two: "passed" })],
  ]);
  expect(tally(runs)).toEqual([
    { file: "/tree/test/a.test.ts", title: "two", seeds: [1, 2], message: "two broke" },
    { file: "/tree/test/a.test.ts", title: "one", seeds: [2], message: "one broke" },
  ]);
});

test("the tally of runs names a file that failed outside of its tests", () => {
  expect(tally(new Map([[7, runWith({}, "failed")]]))).toEqual([
    { file: "/tree/test/a.test.ts", title: "", seeds: [7], message: "Error: no such module" },
  ]);
});

test("the tally of runs without a failure is empty", () => {
  expect(tally(new Map([[1, runWith({ one: "passed" })]]))).toEqual([]);
});
