import type { Speaks } from "./load.ts";

/** One thing that is measured. */
export interface Variant {
  /** `server/speaks/answer`, and how many clients and agents if that is not usual; for `--only`. */
  readonly name: string;
  /** `valinor` is measured; the others are the floors: bare node:http and node:http2, and connect-node. */
  readonly server: "valinor" | "http" | "http2" | "connect";
  readonly speaks: Speaks;
  /** What the fake guest does: `each`, `batch`, `paced` or `unary`, and the bytes of a chunk if they are not 60: `each:60000`. */
  readonly answer: string;
  /** Operation that is counted. */
  readonly operation: "chunk" | "call";
  readonly clients: number;
  readonly agents: number;
}

/** Clients at once, and agents that they are spread over. */
export interface Shape {
  readonly clients: number;
  readonly agents: number;
}

const USUAL: Shape = { clients: 64, agents: 1 };
const APART: Shape = { clients: 64, agents: 64 };
const MANY: Shape = { clients: 1_000, agents: 1_000 };
const ONE_LINK: Shape = { clients: 1_000, agents: 1 };

/** Bytes of the long chunks. */
const LONG = 60_000;

/** Every variant; those that are compared with each other stand side by side. */
export function allVariants(): Variant[] {
  return [
    ...["each", "batch", "paced"].flatMap((answer) => streams(answer, USUAL, ["connect", "grpc"])),
    ...streams("each", ONE_LINK),
    ...streams("each", APART),
    ...["each", "batch"].flatMap((answer) => streams(answer, MANY)),
    ...streams(`each:${LONG}`, USUAL),
    ...unary(USUAL),
    variant("valinor", "grpc-unary", "unary", USUAL),
    variant("http2", "grpc-unary", "unary", USUAL),
    variant("connect", "grpc-unary", "unary", USUAL),
    ...unary(APART),
    ...unary(MANY),
  ];
}

/** Streams of this answer; `floors`: the protocols for which connect-node is measured too. */
function streams(answer: string, shape: Shape, floors: readonly Speaks[] = []): Variant[] {
  return [
    variant("valinor", "sse", answer, shape),
    variant("http", "sse", answer, shape),
    ...(["connect", "grpc"] as const).flatMap((speaks) => [
      variant("valinor", speaks, answer, shape),
      ...(floors.includes(speaks) ? [variant("connect", speaks, answer, shape)] : []),
    ]),
  ];
}

/** Unary calls, each client's on a connection of its own. */
function unary(shape: Shape): Variant[] {
  return [
    variant("valinor", "rest", "unary", shape),
    variant("http", "rest", "unary", shape),
    variant("valinor", "connect-unary", "unary", shape),
    variant("connect", "connect-unary", "unary", shape),
    variant("http", "connect-unary", "unary", shape),
    variant("valinor", "grpc-apart", "unary", shape),
    variant("http2", "grpc-apart", "unary", shape),
    variant("connect", "grpc-apart", "unary", shape),
  ];
}

function variant(server: Variant["server"], speaks: Speaks, answer: string, shape: Shape): Variant {
  const name = `${server}/${speaks}/${answer.replace(`:${LONG}`, "-60k")}`;
  return {
    name: shape === USUAL ? name : `${name}/${shape.clients}x${shape.agents}`,
    server,
    speaks,
    answer,
    operation: answer === "unary" ? "call" : "chunk",
    ...shape,
  };
}
