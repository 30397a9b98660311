import type { Speaks } from "./load.ts";

/** One thing that is measured. */
export interface Variant {
  /** `server/speaks/answer`, and how many clients and agents if that is not usual; for `--only`. */
  readonly name: string;
  /** `valinor` is measured; the others are the floors: bare node:http and node:http2, and connect-node. */
  readonly server: Server;
  readonly speaks: Speaks;
  /** What the fake guest does: `each`, `batch`, `paced` or `unary`, and the bytes of a chunk if they are not 60: `each:60000`. */
  readonly answer: string;
  /** Operation that is counted. */
  readonly operation: "chunk" | "call";
  readonly clients: number;
  readonly agents: number;
}

type Server = "valinor" | "http" | "http2" | "connect";

/** Variants that are compared with each other, and so are measured in turn. */
export interface Group {
  readonly name: string;
  readonly variants: readonly Variant[];
  /** Those that a quick run measures. */
  readonly quick: readonly Variant[];
  /** True for a point of a plot, for which fewer rounds do. */
  readonly point: boolean;
}

/** Clients at once, and agents that they are spread over. */
interface Shape {
  readonly clients: number;
  readonly agents: number;
}

const USUAL: Shape = { clients: 64, agents: 1 };
const APART: Shape = { clients: 64, agents: 64 };
const MANY: Shape = { clients: 1_000, agents: 1_000 };
const ONE_LINK: Shape = { clients: 1_000, agents: 1 };

/** Bytes of the long chunks. */
const LONG = 60_000;

type Pair = readonly [server: Server, speaks: Speaks];

const SSE: readonly Pair[] = [
  ["valinor", "sse"],
  ["http", "sse"],
];
const STREAMS: readonly Pair[] = [...SSE, ["valinor", "connect"], ["valinor", "grpc"]];
const REST: readonly Pair[] = [
  ["valinor", "rest"],
  ["http", "rest"],
];
const CONNECT: readonly Pair[] = [
  ["valinor", "connect-unary"],
  ["connect", "connect-unary"],
  ["http", "connect-unary"],
];
const GRPC: readonly Pair[] = [
  ["valinor", "grpc-unary"],
  ["http2", "grpc-unary"],
];
const GRPC_APART: readonly Pair[] = [
  ["valinor", "grpc-apart"],
  ["http2", "grpc-apart"],
  ["connect", "grpc-apart"],
];

/** Everything that is measured in CPU time, the usual shapes first. */
export function allGroups(): Group[] {
  const none: readonly Pair[] = [];
  return [
    group("each", USUAL, [...STREAMS, ["connect", "connect"], ["connect", "grpc"]], STREAMS),
    group("batch", USUAL, STREAMS, SSE),
    group("paced", USUAL, STREAMS, SSE),
    group("each", ONE_LINK, STREAMS, SSE),
    group("each", APART, STREAMS, SSE),
    group("each", MANY, STREAMS, none),
    group("batch", MANY, SSE, none),
    group(`each:${LONG}`, USUAL, STREAMS, SSE),
    group("unary", USUAL, REST, REST),
    group("unary", USUAL, CONNECT, CONNECT),
    group("unary", USUAL, [...GRPC, ["connect", "grpc-unary"]], GRPC),
    group("unary", USUAL, GRPC_APART, none),
    group("unary", APART, REST, none),
    group("unary", APART, CONNECT, none),
    group("unary", APART, GRPC_APART, none),
    group("unary", MANY, REST, REST),
    group("unary", MANY, CONNECT, none),
    group("unary", MANY, GRPC_APART, none),
    ...points(),
  ];
}

/** Points of the plots that the groups above do not have. */
function points(): Group[] {
  const point = (answer: string, clients: number, agents: number, pairs: readonly Pair[]): Group => ({
    ...group(answer, { clients, agents }, pairs, []),
    point: true,
  });
  return [
    ...[600, 6_000].map((bytes) => point(`each:${bytes}`, USUAL.clients, USUAL.agents, SSE)),
    ...[1, 8].map((clients) => point("each", clients, 1, SSE)),
    ...[10, 100].map((agents) => point("each", 1_000, agents, SSE)),
    ...[1, 8, 1_000].map((clients) =>
      point("unary", clients, 1, [...REST, ["valinor", "connect-unary"], ...GRPC]),
    ),
    ...[10, 100].map((agents) => point("unary", 1_000, agents, REST)),
  ];
}

function group(answer: string, shape: Shape, pairs: readonly Pair[], quick: readonly Pair[]): Group {
  const variants = pairs.map(([server, speaks]) => variant(server, speaks, answer, shape));
  const isQuick = (one: Variant) =>
    quick.some(([server, speaks]) => server === one.server && speaks === one.speaks);
  const [first] = variants;
  return {
    name: first?.name.replace(/^[^/]+\//, "") ?? answer,
    variants,
    quick: variants.filter(isQuick),
    point: false,
  };
}

function variant(server: Server, speaks: Speaks, answer: string, shape: Shape): Variant {
  const name = `${server}/${speaks}/${answer.replace(":", "-").replace(/000$/, "k")}`;
  const { clients, agents } = shape;
  const usual = clients === USUAL.clients && agents === USUAL.agents;
  return {
    name: usual ? name : `${name}/${clients}x${agents}`,
    server,
    speaks,
    answer,
    operation: answer === "unary" ? "call" : "chunk",
    clients,
    agents,
  };
}
