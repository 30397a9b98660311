/**
 * Changes the sources in small ways, one at a time, and runs their tests against each change: a mutant that no test notices shows a
 * rule that no test holds.
 *
 *     npm run test:mutation -- agent/runs/journal.ts protocol/link/host [--tests 'test/e2e/runs.test.ts'] [--workers 2] [--goal 90]
 *
 * Prints each mutant that survived, and the score. Exits with 1 if it is under the goal, with 2 if the command line is wrong.
 */
import { join } from "node:path";
import { Stryker } from "@stryker-mutator/core";
import { type MutationOptions, mutationOptions } from "./options.ts";

type MutantResult = Awaited<ReturnType<Stryker["runMutationTest"]>>[number];

const root = join(import.meta.dirname, "../..");
const NOTICED = new Set<string>(["Killed", "Timeout"]);
const UNNOTICED = new Set<string>(["Survived", "NoCoverage"]);

function optionsOrExit(): MutationOptions {
  try {
    return mutationOptions(process.argv.slice(2), root);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(2);
  }
}

function describeMutant({ fileName, location, mutatorName, replacement, status }: MutantResult): string {
  const { line, column } = location.start;
  const place = `${fileName.replace(`${root}/`, "")}:${line}:${column}`;
  return `${place}: ${status === "NoCoverage" ? "not run by any test" : "survived"}: ${mutatorName}: ${replacement ?? ""}`;
}

const options = optionsOrExit();
process.chdir(root);
process.env["VALINOR_MUTATION_TESTS"] = JSON.stringify(options.tests);

const results = await new Stryker({
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "scripts/mutation/vitest.config.ts", related: false },
  mutate: [...options.sources],
  // What an error says is for people, and names of a closed set are held by their types.
  mutator: { excludedMutations: ["StringLiteral"] },
  coverageAnalysis: "perTest",
  concurrency: options.workers,
  // A mutant that makes a test endless is noticed. One that is only slow, because the machine is busy, must not count as such.
  timeoutMS: 20_000,
  timeoutFactor: 4,
  reporters: ["progress-append-only"],
  allowConsoleColors: false,
  tempDirName: ".cache/mutation",
  cleanTempDir: "always",
  ignorePatterns: [".cache", "bench", "clients/go", "docs", "examples", "gen/go"],
  // TypeScript 7 has no API by which Stryker could read one.
  tsconfigFile: "none.json",
}).runMutationTest();

const noticed = results.filter(({ status }) => NOTICED.has(status));
const unnoticed = results.filter(({ status }) => UNNOTICED.has(status));
const inOrder = unnoticed.toSorted(
  (one, other) =>
    one.fileName.localeCompare(other.fileName) ||
    one.location.start.line - other.location.start.line ||
    one.location.start.column - other.location.start.column,
);
for (const result of inOrder) console.log(describeMutant(result));
const score = (100 * noticed.length) / Math.max(1, noticed.length + unnoticed.length);
const endless = noticed.filter(({ status }) => status === "Timeout").length;
console.log(
  `${noticed.length} mutants noticed (${endless} of them by a timeout), ${unnoticed.length} not: ${score.toFixed(1)} %, the goal is ${options.goal} %`,
);
if (results.length === 0 || score < options.goal) process.exitCode = 1;
