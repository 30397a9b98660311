import { describe, expect, it } from "vitest";
import { figureOf, figuresOfJson, flatten, median, releaseOf, type Results } from "../../bench/figures.ts";
import { floorOf } from "../../bench/floors.ts";
import type { Measurement } from "../../bench/group.ts";
import { goalRows } from "../../bench/goals.ts";
import { figure, figureTable, goalTable, summarize, table } from "../../bench/report.ts";

const round = (us: number, p50?: number, p99 = 0): Measurement => ({
  us,
  rate: 1_000,
  server: 0.5,
  load: 0.25,
  others: us / 100,
  latency: p50 === undefined ? undefined : { p50, p99, most: p99 },
});

const results: Results = {
  version: "1.2.3",
  machine: "2 cores, A CPU, Linux",
  how: "medians",
  day: "2026-11-27",
  variants: [
    summarize({ name: "valinor/rest/unary", operation: "call" }, [
      round(40, 2, 4),
      round(50, 3, 9),
      round(30, 1, 2),
    ]),
    summarize({ name: "http/rest/unary", operation: "call" }, [round(25, 1, 2)]),
  ],
  figures: { "idle-stream/valinor/sse:heap": figureOf([12, 16, 14], "KB") },
  failures: {},
};

describe("median", () => {
  it("is the middle of an odd number of values, in any order and as numbers", () => {
    expect(median([10, 9, 100])).toBe(10);
    expect(median([])).toBeNaN();
  });
});

describe("flatten", () => {
  it("has a name for every number", () => {
    expect(Object.fromEntries(flatten(results))).toEqual({
      "valinor/rest/unary": 40,
      "valinor/rest/unary:rate": 1_000,
      "valinor/rest/unary:p50": 2,
      "valinor/rest/unary:p99": 4,
      "http/rest/unary": 25,
      "http/rest/unary:rate": 1_000,
      "http/rest/unary:p50": 1,
      "http/rest/unary:p99": 2,
      "idle-stream/valinor/sse:heap": 14,
    });
  });

  it("is what a release keeps, sorted by name", () => {
    const { figures, ...rest } = releaseOf(results);
    expect(rest).toEqual({ version: "1.2.3", machine: results.machine, day: results.day });
    expect(figures).toEqual(Object.fromEntries(flatten(results)));
    expect(Object.keys(figures)).toEqual(Object.keys(figures).toSorted());
  });
});

describe("figuresOfJson", () => {
  it("names each number by the way to it, with the unit that its key ends in", () => {
    const json = { machine: "x", agents: { "1000": { rssMiB: 90 } }, readyMs: 200, count: 3 };
    expect(figuresOfJson("memory", json)).toEqual({
      "memory/agents/1000/rssMiB": figureOf([90], "MiB"),
      "memory/readyMs": figureOf([200], "ms"),
      "memory/count": figureOf([3], ""),
    });
  });
});

describe("floorOf", () => {
  it("is the same shape of the bare server, and nothing if that was not measured", () => {
    const flat = new Map([
      ["http/rest/unary/64x64", 30],
      ["http/sse/each", 5],
    ]);
    expect(floorOf("valinor/rest/unary/64x64", flat)).toEqual({ name: "http/rest/unary/64x64", value: 30 });
    expect(floorOf("valinor/connect-unary/unary/64x64", flat)?.value).toBe(30);
    expect(floorOf("valinor/grpc/each", flat)?.value).toBe(5);
    expect(floorOf("valinor/rest/unary", flat)).toBeUndefined();
    expect(floorOf("http/rest/unary/64x64", flat)).toBeUndefined();
  });
});

describe("goalRows", () => {
  const goals = [
    { what: "REST", figure: "valinor/rest/unary", unit: "us", floor: "http/rest/unary", most: 1.6 },
    { what: "stream", figure: "idle-stream/valinor/sse:heap", unit: "KB", most: 13 },
    { what: "unknown", figure: "valinor/rest/unary/9x9", unit: "us", most: 1 },
  ];

  it("holds a ratio or a figure against the goal, and leaves out what was not measured", () => {
    const rows = goalRows(results, goals);
    expect(rows.map(({ what, reached, isMet }) => [what, reached, isMet])).toEqual([
      ["REST", 1.6, true],
      ["stream", 14, false],
    ]);
  });

  it("is a table with the last release beside it, in which a ratio is made of that release's own floor", () => {
    const release = {
      version: "1.0.0",
      machine: "m",
      day: "d",
      figures: { "valinor/rest/unary": 90, "http/rest/unary": 45 },
    };
    expect(goalTable(goalRows(results, goals), release).split("\n")).toEqual([
      "|  | figure | floor | ratio or figure | in 1.0.0 | goal, at most |  |",
      "|---|---|---|---|---|---|---|",
      "| REST | 40.0 us | 25.0 (node:http) | 1.60 | 2.00 | 1.60 | met |",
      "| stream | 14.0 KB |  | 14.0 |  | 13.0 | **missed** |",
    ]);
  });
});

describe("table", () => {
  it("has medians, ranges, ratios to the floor and latencies", () => {
    const [, , first, second] = table(results.variants, undefined).split("\n");
    expect(first).toBe(
      "| valinor/rest/unary | 40.0 a call | 30.0 - 50.0 | 1.60 | 2.00, 4.00 | 2.00 | 1000 | 50 % | 25 % | 50 % |",
    );
    expect(second).toBe(
      "| http/rest/unary | 25.0 a call | 25.0 - 25.0 |  | 1.00, 2.00 | 2.00 | 1000 | 50 % | 25 % | 25 % |",
    );
  });

  it("has a row for every other figure, with what the last release had", () => {
    const release = {
      version: "1.0.0",
      machine: "2 cores, B CPU",
      day: "d",
      figures: { "idle-stream/valinor/sse:heap": 27 },
    };
    expect(figureTable(results.figures, release).split("\n").slice(0, 3)).toEqual([
      "| figure | value | range | in 1.0.0, B CPU |",
      "|---|---|---|---|",
      "| idle-stream/valinor/sse:heap | 14.0 KB | 12.0 - 16.0 | 27.0 |",
    ]);
  });
});

describe("figure", () => {
  it("has fewer digits the larger it is", () => {
    expect([1.234, 12.34, 123.4, 12_345].map(figure)).toEqual(["1.23", "12.3", "123", "12,345"]);
  });
});
