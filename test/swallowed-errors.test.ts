import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const TOP = fileURLToPath(new URL("..", import.meta.url));
const PROGRAMS = ["src", "agent", "protocol", "cli", "dev", "clients/ts", "web/src"];

/** A `catch` that does not look at its error, up to the end of its block. */
const CATCH = /\bcatch \{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}/g;
/** A rejection that is dropped, with the lines around it. */
const DROPPED = /(?:.*\n){0,3}.*\.catch\(\s*\(\) =>.*(?:\n.*){0,1}/g;

/** Errors that are swallowed without a word: their block neither throws, nor does a comment say why nothing is lost. */
function wordless(text: string): string[] {
  return [
    ...[...text.matchAll(CATCH)].filter(([, block = ""]) => !/\/\/|\bthrow\b/.test(block)),
    ...[...text.matchAll(DROPPED)].filter(([around]) => !/\/\/|\bthrow/.test(around)),
  ].map(([found]) => found.trim());
}

describe("an error that is swallowed", () => {
  it("is found unless it is told of in other words, or a comment says why nothing is lost", () => {
    expect(wordless("try {\n  a();\n} catch {\n  return false;\n}")).toHaveLength(1);
    expect(wordless("try {\n  a();\n} catch {\n  if (b) {\n    c();\n  }\n}")).toHaveLength(1);
    expect(wordless("try {\n  a();\n} catch {\n  return false; // it is no JSON\n}")).toEqual([]);
    expect(wordless('try {\n  a();\n} catch {\n  throw new Error("no");\n}')).toEqual([]);
    expect(wordless("\n\n\nawait a().catch(() => {});\n")).toHaveLength(1);
    expect(wordless("\n\n\nawait a().catch(() => {}); // it broke before\n")).toEqual([]);
    expect(wordless("\n\n// It broke before.\nawait a().catch(() => {});\n")).toEqual([]);
  });

  it.each(PROGRAMS)("in %s has a comment that says why nothing is lost", (folder) => {
    const files = globSync(`${folder}/**/*.{ts,tsx}`, {
      cwd: TOP,
      exclude: ["**/node_modules/**", "**/dist/**"],
    });
    expect(files.length).toBeGreaterThan(5);
    const found = files.flatMap((file) =>
      wordless(readFileSync(TOP + file, "utf8")).map((where) => `${file}: ${where}`),
    );
    expect(found).toEqual([]);
  });
});
