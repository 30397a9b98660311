import type { Chart, Series } from "./plot.ts";

/** A chart, and the name of its file. */
export interface NamedChart {
  readonly name: string;
  readonly chart: Chart;
}

/** A line of a chart before its figures are known: their names, one for each place. */
type Line = readonly [label: string, names: readonly string[], colour: number, isFloor?: boolean];

const COUNTS = ["1", "10", "100", "1,000"];
const FEW = ["1", "8", "64", "1,000"];
const SIZES = ["60 B", "600 B", "6 KB", "60 KB"];
const SIZE_NAMES = ["", "-600", "-6k", "-60k"];

/** The charts of the page; those of which nothing was measured are left out. */
export function chartsOf(flat: ReadonlyMap<string, number>): NamedChart[] {
  const agents = (of: string) => COUNTS.map((count) => `${of}/1000x${count.replace(",", "")}`);
  const few = (of: string) => FEW.map((count) => (count === "64" ? of : `${of}/${count.replace(",", "")}x1`));
  const sizes = (of: string) => SIZE_NAMES.map((size) => `${of}${size}`);
  const all: readonly [string, Omit<Chart, "series">, readonly Line[]][] = [
    [
      "agents-chunk",
      {
        title: "A chunk, 1,000 streams: agents",
        x: { label: "agents, each with a link", ticks: COUNTS },
        unit: "us",
      },
      [
        ["Valinor, SSE", agents("valinor/sse/each"), 0],
        ["node:http", agents("http/sse/each"), 0, true],
      ],
    ],
    [
      "agents-call",
      {
        title: "A call, 1,000 clients: agents",
        x: { label: "agents, each with a link", ticks: COUNTS },
        unit: "us",
      },
      [
        ["Valinor, REST", agents("valinor/rest/unary"), 0],
        ["node:http", agents("http/rest/unary"), 0, true],
      ],
    ],
    [
      "streams",
      { title: "A chunk: streams of one link", x: { label: "streams at once", ticks: FEW }, unit: "us" },
      [
        ["Valinor, SSE", few("valinor/sse/each"), 0],
        ["node:http", few("http/sse/each"), 0, true],
      ],
    ],
    [
      "chunk-size",
      { title: "A chunk: its size", x: { label: "bytes of text", ticks: SIZES }, unit: "us", isLog: true },
      [
        ["Valinor, SSE", sizes("valinor/sse/each"), 0],
        ["node:http", sizes("http/sse/each"), 0, true],
      ],
    ],
    [
      "pending-calls",
      {
        title: "A call: calls pending at once",
        x: { label: "calls pending, one agent", ticks: FEW },
        unit: "us",
      },
      [
        ["Valinor, REST", few("valinor/rest/unary"), 0],
        ["node:http", few("http/rest/unary"), 0, true],
        ["Valinor, gRPC", few("valinor/grpc-unary/unary"), 1],
        ["node:http2", few("http2/grpc-unary/unary"), 1, true],
        ["Valinor, Connect", few("valinor/connect-unary/unary"), 2],
      ],
    ],
  ];
  return all.flatMap(([name, chart, lines]) => {
    const series = lines
      .map((line) => seriesOf(line, flat))
      .filter(({ values }) => values.some((value) => value !== undefined));
    return series.length === 0 ? [] : [{ name, chart: { ...chart, series } }];
  });
}

function seriesOf([label, names, colour, isFloor = false]: Line, flat: ReadonlyMap<string, number>): Series {
  return { label, values: names.map((name) => flat.get(name)), colour, isFloor };
}
