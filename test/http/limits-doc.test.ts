import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaultStreamLimits } from "../../src/core/runs/stream-budget.ts";
import { defaultHttpLimits } from "../../src/http/server/http-limits.ts";
import { watchShares } from "../../src/rpc/health.ts";

const page = readFileSync(new URL("../../docs/limits.md", import.meta.url), "utf8");

/** A bound as people write it; its unit is in its name. */
function written(name: string, value: number): string {
  if (name.endsWith("Ms")) return value % 1_000 === 0 ? `${value / 1_000} s` : `${value} ms`;
  if (value >= 1024 * 1024) return `${value / 1024 / 1024} MiB`;
  return name.endsWith("Bytes") ? `${value / 1024} KiB` : value.toLocaleString("en");
}

test.each(Object.entries({ ...defaultHttpLimits, ...defaultStreamLimits }))(
  "docs/limits.md has %s with its value",
  (name, value) => {
    expect(page).toContain(`| \`${name}\` | ${written(name, value)} |`);
  },
);

test("docs/limits.md has the shares of health watches", () => {
  const { all, strangers, peer, connection, credential } = watchShares;
  expect(page).toContain(`| ${all} | ${strangers} | ${peer} | ${connection} | | ${credential} |`);
});
