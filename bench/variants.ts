import type { Speaks } from "./load.ts";

/** One thing that is measured. */
export interface Variant {
  /** `server/speaks/answer`, for `--only`. */
  readonly name: string;
  /** `valinor` is measured; `http` and `connect` are the floors. */
  readonly server: "valinor" | "http" | "connect";
  readonly speaks: Speaks;
  /** What the fake guest does: `each`, `batch`, `paced` or `unary`. */
  readonly answer: string;
  /** Operation that is counted. */
  readonly operation: "chunk" | "call";
  /** Measured only if `--only` asks for it. */
  readonly extra: boolean;
}

/** Every variant; those that are compared with each other stand side by side. */
export function allVariants(): Variant[] {
  const streams = ["each", "batch", "paced"].flatMap((answer) => [
    variant("valinor", "sse", answer),
    variant("http", "sse", answer),
    variant("valinor", "connect", answer),
    variant("connect", "connect", answer),
    variant("valinor", "grpc", answer),
    variant("connect", "grpc", answer),
  ]);
  return [
    ...streams,
    variant("valinor", "rest", "unary"),
    variant("http", "rest", "unary"),
    variant("valinor", "connect-unary", "unary"),
    variant("connect", "connect-unary", "unary"),
  ];
}

function variant(server: Variant["server"], speaks: Speaks, answer: string): Variant {
  return {
    name: `${server}/${speaks}/${answer}`,
    server,
    speaks,
    answer,
    operation: answer === "unary" ? "call" : "chunk",
    extra: speaks === "grpc",
  };
}
