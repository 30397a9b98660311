import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaultStreamLimits } from "../../src/core/runs/stream-budget.ts";
import { defaultHttpLimits } from "../../src/http/server/http-limits.ts";
import { guestLimits, limits } from "../../protocol/wire/limits.ts";
import { watchShares } from "../../src/rpc/health.ts";

const page = readFileSync(new URL("../../docs/limits.md", import.meta.url), "utf8");
const agentPage = readFileSync(new URL("../../docs/agent.md", import.meta.url), "utf8");

/** A bound as people write it; its unit is in its name. */
function written(name: string, value: number): string {
  if (name.endsWith("Ms")) return writtenMs(value);
  if (value >= 1024 * 1024 && value % 1024 === 0) return `${value / 1024 / 1024} MiB`;
  if (name.endsWith("Bytes") && value < 1024) return `${value} bytes`;
  const isSize = name.endsWith("Bytes") || (value >= 64 * 1024 && value % 1024 === 0);
  if (isSize) return `${value / 1024} KiB`;
  return value.toLocaleString("en");
}

function writtenMs(ms: number): string {
  if (ms >= 3_600_000) return `${ms / 3_600_000} h`;
  if (ms >= 600_000) return `${ms / 60_000} min`;
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
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

const bounds: Readonly<Record<string, number>> = { ...limits, ...guestLimits };

/** Rows of a text whose first named cells are bounds of protocol/wire/limits.ts, with the cell after the names. */
function boundRows(text: string): { names: string[]; values: string }[] {
  return [...text.matchAll(/^\|.*?((?:`\w+`(?:, )?)+) \| ([^|]*) \|.*$/gm)]
    .map(([, cell = "", values = ""]) => ({
      names: [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
      values,
    }))
    .filter(({ names }) => names.every((name) => Object.hasOwn(bounds, name)));
}

test("docs/limits.md gives the bounds of links, messages, configuration and context their values", () => {
  const rows = boundRows(page.slice(page.indexOf("## Messages, configuration, context")));
  expect(rows.flatMap(({ names }) => names).length).toBeGreaterThanOrEqual(30);
  const told = rows.map(({ names, values }) => {
    const cells = values.split(", ").slice(0, names.length);
    // What follows a value says of which time or part it is.
    return names.map((name, at) => [name, cells[at]?.slice(0, written(name, bounds[name] ?? 0).length)]);
  });
  expect(told).toEqual(
    rows.map(({ names }) => names.map((name) => [name, written(name, bounds[name] ?? 0)])),
  );
});

test.each(Object.entries(guestLimits))(
  "docs/agent.md has the agent's bound %s with its value",
  (name, value) => {
    expect(agentPage).toContain(`| \`${name}\` | ${written(name, value)} |`);
  },
);

test("docs/agent.md gives the bounds of the link that an agent keeps their values", () => {
  const rows = boundRows(agentPage.slice(agentPage.indexOf("## Bounds")));
  expect(rows.map(({ names, values }) => [names[0], values])).toEqual(
    rows.map(({ names: [name = ""] }) => [name, written(name, bounds[name] ?? 0)]),
  );
});
