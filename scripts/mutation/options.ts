import { availableParallelism } from "node:os";
import { statSync } from "node:fs";
import { join, posix } from "node:path";
import { parseArgs } from "node:util";

/** Least part of the mutants that the tests must kill, percent. */
const GOAL = 90;

/** What is to be mutated, and by which tests the mutants are to be killed; paths from the top of the tree. */
export interface MutationOptions {
  /** Patterns of source files. */
  readonly sources: readonly string[];
  /** Patterns of test files. */
  readonly tests: readonly string[];
  /** Test processes at once. */
  readonly workers: number;
  /** Percent. */
  readonly goal: number;
}

/**
 * Reads the command line: `[--tests PATTERN]... [--workers N] [--goal PERCENT] FOLDER|FILE...`. Without `--tests` they are those at the
 * same path under test/. Throws Error if it is wrong.
 */
export function mutationOptions(args: readonly string[], root: string): MutationOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tests: { type: "string", multiple: true, default: [] },
      workers: { type: "string", default: String(availableParallelism()) },
      goal: { type: "string", default: String(GOAL) },
    },
  });
  if (positionals.length === 0) throw new Error("name a folder or a file to mutate, such as agent/runs");
  const places = positionals.map((place) => posix.normalize(place.replaceAll("\\", "/")).replace(/\/$/, ""));
  const isFolder = (place: string): boolean => statSync(join(root, place)).isDirectory();
  return {
    sources: places.map((place) => (isFolder(place) ? `${place}/**/*.ts` : place)),
    tests: values.tests.length > 0 ? values.tests : places.map((place) => testsOf(place, isFolder(place))),
    workers: wholeNumber("--workers", values.workers, 1, 64),
    goal: wholeNumber("--goal", values.goal, 0, 100),
  };
}

/** The tests of a source stand at the same path under test/; those of src/ without that folder's name. */
export function testsOf(place: string, isFolder: boolean): string {
  const mirrored = `test/${place.replace(/^src\//, "")}`;
  return isFolder ? `${mirrored}/**/*.test.ts` : mirrored.replace(/\.ts$/, ".test.ts");
}

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Error(`${flag} is ${text}: must be a whole number from ${least} to ${most}`);
  return value;
}
