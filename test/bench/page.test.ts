import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chartsOf } from "../../bench/charts.ts";
import { GOALS } from "../../bench/goals.ts";
import { replacePart } from "../../bench/page.ts";
import { drawChart, niceStep } from "../../bench/plot.ts";
import { allSections } from "../../bench/sections.ts";
import { allGroups } from "../../bench/variants.ts";

const names = allGroups().flatMap(({ variants }) => variants.map(({ name }) => name));

describe("replacePart", () => {
  const page =
    "before\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nafter\n<!-- bench:b -->\n<!-- /bench:b -->\n";

  it("replaces what stands between the markers and leaves the rest, however often", () => {
    const once = replacePart(page, "a", "new\nlines");
    expect(once).toBe(page.replace("old", "new\nlines"));
    expect(replacePart(once, "a", "old")).toBe(page);
    expect(replacePart(page, "b", "x")).toContain("<!-- bench:b -->\nx\n<!-- /bench:b -->\n");
  });

  it("throws if a marker is missing, so that no figure is lost unnoticed", () => {
    expect(() => replacePart(page, "c", "x")).toThrow("bench:c");
    expect(() => replacePart("<!-- bench:a -->", "a", "x")).toThrow("bench:a");
  });

  it("finds every marker in docs/performance.md", () => {
    const real = readFileSync(new URL("../../docs/performance.md", import.meta.url), "utf8");
    for (const name of ["machine", "goals", "plots", "variants", "figures"])
      expect(() => replacePart(real, name, "x")).not.toThrow();
  });
});

describe("variants", () => {
  it("have names that tell them apart", () => {
    expect(new Set(names).size).toBe(names.length);
  });

  it("are those that goals and their floors name", () => {
    const measured = new Set(names);
    const named = GOALS.flatMap(({ figure, floor }) => [figure, ...(floor === undefined ? [] : [floor])]);
    const sections = allSections().map(({ name }) => `${name}/`);
    const unknown = named.filter(
      (name) =>
        !measured.has(name.replace(/:\w+$/, "")) && !sections.some((section) => name.startsWith(section)),
    );
    expect(unknown).toEqual([]);
  });

  it("are those that the plots show, a value at every place", () => {
    const flat = new Map(names.map((name, index) => [name, index + 1]));
    const charts = chartsOf(flat);
    expect(charts.map(({ name }) => name)).toEqual([
      "agents-chunk",
      "agents-call",
      "streams",
      "chunk-size",
      "pending-calls",
    ]);
    for (const { chart } of charts) {
      for (const { values } of chart.series) {
        expect(values).toHaveLength(chart.x.ticks.length);
        expect(values.every((value) => value !== undefined)).toBe(true);
      }
    }
  });
});

describe("drawChart", () => {
  const chart = {
    title: "A <chunk> & more",
    x: { label: "agents", ticks: ["1", "10"] },
    unit: "us",
    series: [
      { label: "Valinor", values: [2, 8], isFloor: false, colour: 0 },
      { label: "node:http", values: [undefined, 4], isFloor: true, colour: 0 },
    ],
  };

  it("places a value by its share of the axis, which begins at 0", () => {
    const svg = drawChart(chart);
    const [low, high, floor] = [...svg.matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y));
    const zero = Number(/<path class="grid" d="M52 ([\d.]+)H/.exec(svg)?.[1]);
    expect((zero - (high ?? 0)) / (zero - (low ?? 0))).toBeCloseTo(4, 1);
    expect((zero - (floor ?? 0)) / (zero - (low ?? 0))).toBeCloseTo(2, 1);
    expect(svg.match(/<circle/g)).toHaveLength(3);
  });

  it("places powers of ten equally far apart on a logarithmic axis", () => {
    const [series] = chart.series;
    const svg = drawChart({ ...chart, isLog: true, series: [{ ...series!, values: [1, 10, 100] }] });
    const [a = 0, b = 0, c = 0] = [...svg.matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y));
    expect(a - b).toBeCloseTo(b - c, 0);
    expect(a).toBeGreaterThan(b);
  });

  it("escapes its words, tells its values to readers that see no picture, and takes nothing from outside", () => {
    const svg = drawChart(chart);
    expect(svg).toContain("<title>A &lt;chunk&gt; &amp; more</title>");
    expect(svg).toContain("node:http (us) by agents: 1: none, 10: 4");
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:\/\/|<script|@import/);
  });
});

describe("niceStep", () => {
  it("is 1, 2 or 5 times a power of ten", () => {
    expect([0.3, 1, 1.1, 4, 6, 70].map(niceStep).map((step) => Number(step.toFixed(2)))).toEqual([
      0.5, 1, 2, 5, 10, 100,
    ]);
  });
});
