import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const TOP = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(`${TOP}docs/questions.md`, "utf8");
const rows = [...page.matchAll(/^\| (.+\?) \| `(.+)` \|$/gm)].map(([, question = "", file = ""]) => ({
  question,
  file,
}));

describe("docs/questions.md", () => {
  it("has at least twenty questions, a quarter of them about the guest, and no file twice", () => {
    expect(rows.length).toBeGreaterThanOrEqual(20);
    expect(rows.filter(({ file }) => file.startsWith("agent/")).length).toBeGreaterThanOrEqual(
      rows.length / 4,
    );
    expect(new Set(rows.map(({ file }) => file)).size).toBe(rows.length);
    expect(page.match(/^\| .+\? \|/gm)).toHaveLength(rows.length);
  });

  it.each(rows)("names a file that is there: $question $file", ({ file }) => {
    expect(existsSync(TOP + file)).toBe(true);
  });
});
