/** What is aimed at, and how far a run is from it. */
import { flatten, type Results } from "./figures.ts";

/** One line of the table of goals. */
interface Goal {
  readonly what: string;
  /** Name of the figure, as `flatten` names it. */
  readonly figure: string;
  readonly unit: string;
  /** The figure is divided by this one. */
  readonly floor?: string;
  /** Most that the quotient may be; of the figure itself if there is no floor. */
  readonly most: number;
}

/** A goal beside what was measured. */
export interface GoalRow extends Goal {
  readonly value: number;
  readonly floorValue: number | undefined;
  /** What is held against `most`. */
  readonly reached: number;
  readonly isMet: boolean;
}

const LABELS = {
  sse: "SSE",
  connect: "Connect",
  grpc: "gRPC",
  rest: "REST unary",
  "connect-unary": "Connect unary",
  "grpc-unary": "gRPC unary",
} as const;

/** Shapes of unary calls, and how their variants' names end. */
const SHAPES = [
  ["64 clients, one agent", ""],
  ["64 clients, 64 agents", "/64x64"],
  ["1,000 clients, 1,000 agents", "/1000x1000"],
] as const;

/** All goals, in the order of the page. */
export const GOALS: readonly Goal[] = [
  ...SHAPES.flatMap(([shape, end]) => unaryGoals(shape, end)),
  cpu("gRPC unary, 64 calls on one connection", "valinor/grpc-unary/unary", "http2/grpc-unary/unary", 1.6),
  ...(["rest", "connect-unary", "grpc-unary"] as const).map((speaks): Goal => {
    const figure = `valinor/${speaks}/unary`;
    return {
      what: `${LABELS[speaks]}: p99 / p50, 64 clients`,
      figure: `${figure}:p99`,
      unit: "ms",
      floor: `${figure}:p50`,
      most: 2.5,
    };
  }),
  ...(["sse", "connect", "grpc"] as const).flatMap((speaks) => streamGoals(speaks)),
  cpu("SSE `each`, 1,000 streams on one link", "valinor/sse/each/1000x1", "http/sse/each/1000x1", 1),
  cpu("SSE `each`, 64 links", "valinor/sse/each/64x64", "http/sse/each/64x64", 0.9),
  cpu("SSE, chunks of 60 KB", "valinor/sse/each-60k", "http/sse/each-60k", 1.2),
  ...fairnessGoals(64, ["each", "batch", "each-60k"], 20, 30),
  ...fairnessGoals(1_000, ["each", "batch", "paced"], 60, 120),
  atMost("idle SSE stream, heap", "idle-stream/valinor/sse:heap", "KB", 15),
  atMost("idle Connect stream, heap", "idle-stream/valinor/connect:heap", "KB", 20),
];

function unaryGoals(shape: string, end: string): Goal[] {
  return [
    cpu(
      `Connect unary, ${shape}, of connect-node`,
      `valinor/connect-unary/unary${end}`,
      `connect/connect-unary/unary${end}`,
      0.7,
    ),
    cpu(
      `Connect unary, ${shape}`,
      `valinor/connect-unary/unary${end}`,
      `http/connect-unary/unary${end}`,
      1.4,
    ),
    cpu(`REST unary, ${shape}`, `valinor/rest/unary${end}`, `http/rest/unary${end}`, 1.2),
    cpu(
      `gRPC unary, ${shape}, a connection each`,
      `valinor/grpc-apart/unary${end}`,
      `http2/grpc-apart/unary${end}`,
      1.6,
    ),
  ];
}

function streamGoals(speaks: "sse" | "connect" | "grpc"): Goal[] {
  const goal = (answer: string, most: number) =>
    cpu(
      `${LABELS[speaks]} \`${answer}\`, 64 streams`,
      `valinor/${speaks}/${answer}`,
      `http/sse/${answer}`,
      most,
    );
  return [goal("each", 0.5), goal("batch", 0.85), goal("paced", 0.8)];
}

function fairnessGoals(agents: number, floods: readonly string[], readyMs: number, unaryMs: number): Goal[] {
  return floods.flatMap((flood): Goal[] => [
    atMost(
      `${agents} agents flood \`${flood}\`: /readyz, p99`,
      `fairness/${agents}/${flood}/ready:p99`,
      "ms",
      readyMs,
    ),
    atMost(
      `${agents} agents flood \`${flood}\`: a quiet agent, p99`,
      `fairness/${agents}/${flood}/unary:p99`,
      "ms",
      unaryMs,
    ),
  ]);
}

function cpu(what: string, figure: string, floor: string, most: number): Goal {
  return { what, figure, unit: "us", floor, most };
}

function atMost(what: string, figure: string, unit: string, most: number): Goal {
  return { what, figure, unit, most };
}

/** The goals whose figures were measured. */
export function goalRows(results: Pick<Results, "variants" | "figures">, goals = GOALS): GoalRow[] {
  const flat = flatten(results);
  return goals.flatMap((goal): GoalRow[] => {
    const value = flat.get(goal.figure);
    const floorValue = goal.floor === undefined ? undefined : flat.get(goal.floor);
    if (value === undefined || (goal.floor !== undefined && floorValue === undefined)) return [];
    const reached = floorValue === undefined ? value : value / floorValue;
    return [{ ...goal, value, floorValue, reached, isMet: reached <= goal.most }];
  });
}

/** Goals whose figures were not measured. */
export function goalsLeft(results: Pick<Results, "variants" | "figures">): string[] {
  const measured = new Set(goalRows(results).map(({ what }) => what));
  return GOALS.filter(({ what }) => !measured.has(what)).map(({ what }) => what);
}
