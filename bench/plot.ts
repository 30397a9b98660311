/** Line charts as SVG: no scripts, no fonts from outside, readable on light and on dark pages. */

/** One line of a chart: a value for each place on the x axis; undefined: none. */
export interface Series {
  readonly label: string;
  readonly values: readonly (number | undefined)[];
  /** Drawn dashed. */
  readonly isFloor: boolean;
  /** Which of the colours, from 0: a series and its floor share one. */
  readonly colour: number;
}

/** A chart. */
export interface Chart {
  readonly title: string;
  /** What the x axis shows, and its places, which stand equally far apart. */
  readonly x: { readonly label: string; readonly ticks: readonly string[] };
  readonly unit: string;
  readonly series: readonly Series[];
  /** Powers of ten on the y axis; otherwise it is linear, from 0. */
  readonly isLog?: boolean;
}

const WIDTH = 480;
const HEIGHT = 300;
const LEFT = 52;
const RIGHT = 20;
const BOTTOM = 46;
/** Of the title, and of each row of the legend. */
const TITLE = 30;
const LEGEND_ROW = 18;
const LEGEND_COLUMNS = 2;

const STYLE = `
    svg { --ink: #1f2328; --soft: #59636e; --grid: #d8dee4; --c0: #1f6fd0; --c1: #c4500c; --c2: #0f7b5f; --c3: #8a3fbf; }
    @media (prefers-color-scheme: dark) {
      svg { --ink: #e6edf3; --soft: #9198a1; --grid: #363c44; --c0: #6cb0ff; --c1: #ff9a5c; --c2: #4fcfa8; --c3: #d0a0ff; }
    }
    text { font: 12px system-ui, sans-serif; fill: var(--soft); }
    .title { font-size: 14px; font-weight: 600; fill: var(--ink); }
    .grid { stroke: var(--grid); }
    .line { fill: none; stroke-width: 2; }
    .floor { stroke-dasharray: 5 4; }`;

/** Draws a chart. Its description holds all values, for readers that see no picture. */
export function drawChart(chart: Chart): string {
  const rows = Math.ceil(chart.series.length / LEGEND_COLUMNS);
  const top = TITLE + rows * LEGEND_ROW + 10;
  const scale = scaleOf(chart);
  const y = (value: number) => HEIGHT - BOTTOM - scale.place(value) * (HEIGHT - BOTTOM - top);
  const x = (index: number) => LEFT + ((index + 0.5) * (WIDTH - LEFT - RIGHT)) / chart.x.ticks.length;
  const parts = [
    `<text class="title" x="${LEFT}" y="19">${escape(chart.title)}</text>`,
    ...chart.series.flatMap(legend),
    ...scale.ticks.map(
      (tick) =>
        `<path class="grid" d="M${LEFT} ${round(y(tick))}H${WIDTH - RIGHT}"/>` +
        `<text x="${LEFT - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${short(tick)}</text>`,
    ),
    ...chart.x.ticks.map(
      (tick, index) =>
        `<text x="${round(x(index))}" y="${HEIGHT - 26}" text-anchor="middle">${escape(tick)}</text>`,
    ),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escape(chart.x.label)}</text>`,
    ...chart.series.map((series) => line(series, x, y)),
  ];
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`;
  const words = `<title>${escape(chart.title)}</title>\n  <desc>${escape(describe(chart))}</desc>`;
  return `${head}\n  ${words}\n  <style>${STYLE}\n  </style>\n  ${parts.join("\n  ")}\n</svg>\n`;
}

function legend({ label, isFloor, colour }: Series, index: number): string[] {
  const x = LEFT + (index % LEGEND_COLUMNS) * ((WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS);
  const y = TITLE + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW + 8;
  return [
    `<path class="${isFloor ? "line floor" : "line"}" stroke="var(--c${colour})" d="M${x} ${y}h24"/>`,
    `<text x="${x + 30}" y="${y + 4}">${escape(label)}</text>`,
  ];
}

function line(
  { values, isFloor, colour }: Series,
  x: (i: number) => number,
  y: (v: number) => number,
): string {
  const points = values.flatMap((value, index) =>
    value === undefined ? [] : [`${round(x(index))} ${round(y(value))}`],
  );
  const dots = points.map((point) => {
    const [cx, cy] = point.split(" ");
    return `<circle cx="${cx}" cy="${cy}" r="3" fill="var(--c${colour})"/>`;
  });
  const path = `<path class="${isFloor ? "line floor" : "line"}" stroke="var(--c${colour})" d="M${points.join("L")}"/>`;
  return points.length === 0 ? "" : path + dots.join("");
}

interface Scale {
  /** From 0, the bottom, to 1. */
  place(value: number): number;
  readonly ticks: readonly number[];
}

function scaleOf({ series, isLog = false }: Chart): Scale {
  const values = series.flatMap(({ values }) => values.flatMap((value) => value ?? []));
  const most = Math.max(...values, Number.MIN_VALUE);
  if (isLog) {
    const from = Math.floor(Math.log10(Math.min(...values)));
    const to = Math.max(from + 1, Math.ceil(Math.log10(most)));
    const ticks = Array.from({ length: to - from + 1 }, (_, index) => 10 ** (from + index));
    return { place: (value) => (Math.log10(value) - from) / (to - from), ticks };
  }
  const step = niceStep(most / 4);
  const count = Math.ceil(most / step);
  return {
    place: (value) => value / (step * count),
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
  };
}

/** The least of 1, 2, 5, 10, 20 ... (and their tenths) that is not below. */
export function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

function describe({ x, series, unit }: Chart): string {
  return series
    .map(({ label, values }) => {
      const all = values.map(
        (value, index) => `${x.ticks[index]}: ${value === undefined ? "none" : short(value)}`,
      );
      return `${label} (${unit}) by ${x.label}: ${all.join(", ")}`;
    })
    .join("; ");
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
