import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { variableOf } from "../../src/config/layers.ts";
import { type Setting, settings } from "../../src/config/settings.ts";

const page = readFileSync(new URL("../../docs/config.md", import.meta.url), "utf8");
const sections: Record<string, Record<string, Setting<unknown>>> = settings;
const keys = Object.entries(sections).flatMap(([section, entries]) =>
  Object.entries(entries).map(([key, setting]) => ({ section, key, fallback: setting.fallback.serve })),
);

describe("docs/config.md", () => {
  test.each(keys)("lists $section.$key with its variable and default", ({ section, key, fallback }) => {
    const row = page.split("\n").find((line) => line.includes(`\`${variableOf(section, key)}\``)) ?? "";
    const [, name, , value] = row.split("|").map((cell) => cell.trim());
    expect(name).toBe(`\`${key}\``);
    const isPlain = typeof fallback === "number" || typeof fallback === "string";
    expect(value?.replaceAll("`", "")).toMatch(
      isPlain ? new RegExp(`^${RegExp.escape(String(fallback))}$`) : /./,
    );
  });

  test("lists no variable that there is not", () => {
    const known = new Set(keys.map(({ section, key }) => variableOf(section, key)));
    const named = page.match(/VALINOR_[A-Z_]+/g) ?? [];
    expect(named.filter((name) => !known.has(name) && !/^VALINOR_(CONFIG)?$/.test(name))).toEqual([]);
  });
});
