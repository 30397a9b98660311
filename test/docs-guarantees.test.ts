import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const TOP = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(`${TOP}docs/guarantees.md`, "utf8");

/** A test that the page names. */
interface Named {
  readonly file: string;
  readonly title: string;
}

/** Every test that a text names, as `FILE`: *TITLE*. */
function namedIn(text: string): Named[] {
  return [...text.matchAll(/`([^`\s]+)`: \*([^*]+)\*/g)].map(([, file = "", title = ""]) => ({
    file,
    title,
  }));
}

/** Rows of the tables of promises, without their heads: cells. */
const rows = page
  .slice(0, page.indexOf("## What is not promised"))
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| promise "))
  .map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );

/** True if a file of tests has a test or a group of that title, or of one that begins with it or ends with it around a number. */
function hasTitle(text: string, title: string): boolean {
  const quoted = title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const call = String.raw`\b(?:it|test|describe)(?:\.\w+(?:\([^;]*?\))?)*\(\s*["'\x60](?:\$\{\w+\} )?`;
  return new RegExp(`${call}${quoted}(?:["'\`]| \\$\\{)`, "s").test(text);
}

describe("docs/guarantees.md", () => {
  it("has three cells in every row, and at least one test", () => {
    expect(rows.length).toBeGreaterThan(30);
    const wrong = rows.filter((row) => row.length !== 3 || namedIn(row[2] ?? "").length === 0);
    expect(wrong).toEqual([]);
  });

  it("names nothing in the cell of tests that is none", () => {
    for (const [, , tests = ""] of rows) {
      const written = namedIn(tests).map(({ file, title }) => `\`${file}\`: *${title}*`);
      expect(tests).toBe(written.join("; "));
    }
  });

  it.each(namedIn(page))("names a test that is there: $file: $title", ({ file, title }) => {
    expect(file).toMatch(/^test\/[\w/.-]+\.ts$/);
    expect(existsSync(TOP + file)).toBe(true);
    expect(hasTitle(readFileSync(TOP + file, "utf8"), title)).toBe(true);
  });

  it("would notice a title that is gone", () => {
    const text = `it("is here", () => {}); it.each([1])("counts %i", f); test(\`\${N} writers end\`, f);`;
    for (const title of ["is here", "counts %i", "writers end"]) expect(hasTitle(text, title)).toBe(true);
    for (const title of ["is", "here", "counts 1", "writers"]) expect(hasTitle(text, title)).toBe(false);
  });
});
