import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Files, PACKAGES } from "../scripts/layout.ts";
import { findWallClocks, wallClocks } from "../scripts/wall-clock.ts";

const TOP = fileURLToPath(new URL("..", import.meta.url));
const PROGRAMS = PACKAGES.map((folder) => `${folder}/**/*.{ts,tsx}`);

const files: Files = new Map(
  globSync(PROGRAMS, { cwd: TOP, exclude: ["**/node_modules/**", "**/dist/**"] })
    .map((path) => path.replaceAll("\\", "/"))
    .toSorted()
    .map((path) => [path, readFileSync(TOP + path, "utf8")]),
);

describe("the wall clock", () => {
  it("is read nowhere but where a time is data", () => {
    expect(files.size).toBeGreaterThan(300);
    expect(findWallClocks(files, wallClocks)).toEqual([]);
  });

  it("is listed with the reason for each file that reads it", () => {
    for (const { uses, differences = 0, reason } of Object.values(wallClocks)) {
      expect(uses + differences).toBeGreaterThan(0);
      expect(reason).toMatch(/\w{3}/);
    }
  });

  it.each([
    "const began = Date.now();",
    "const clock = options.now ?? Date.now;",
    "const { time } = { time: new Date() };",
    "const time = new Date;",
    "const text = Date();",
    "const began = performance.timeOrigin + performance.now();",
    "const age = b.getTime() - a.getTime();",
    "const age = now - record.createTime.getTime();",
    "const age = record?.createTime!.getTime() - 5;",
    "return Temporal.Now.instant();",
  ])("is found in: %s", (text) => {
    expect(findWallClocks(new Map([["src/x.ts", text]]), {})).not.toEqual([]);
  });

  it.each([
    "const began = performance.now();",
    "const time = new Date(milliseconds);",
    "// Date.now() steps",
    "/** Not by Date.now(). */",
    "const isSame = a.getTime() === b.getTime();",
    "function isDate(value: unknown): value is Date { return true; }",
  ])("is not seen in: %s", (text) => {
    expect(findWallClocks(new Map([["src/x.ts", text]]), {})).toEqual([]);
  });

  it("measures nothing, not even in a file that may read it", () => {
    const text = "const ms = Date.now() - began;";
    const allowed = { "src/x.ts": { uses: 1, reason: "a date" } };
    expect(findWallClocks(new Map([["src/x.ts", text]]), allowed)).toHaveLength(1);
  });

  it("is noticed if a listed file reads it no longer, or once more, or is gone", () => {
    const allowed = { "src/x.ts": { uses: 1, reason: "a date" } };
    for (const text of ["const ms = 1;", "f(Date.now(), Date.now());"])
      expect(findWallClocks(new Map([["src/x.ts", text]]), allowed)).toHaveLength(1);
    expect(findWallClocks(new Map(), allowed)).toHaveLength(1);
  });
});
