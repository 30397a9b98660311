/** What a protocol is held against: servers of the benchmark that do the least, the first that was measured. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  sse: ["http/sse"],
  connect: ["http/sse"],
  grpc: ["http/sse"],
  rest: ["http/rest"],
  "connect-unary": ["http/connect-unary", "http/rest"],
  "grpc-unary": ["http2/grpc-unary"],
  "grpc-apart": ["http2/grpc-apart"],
};

/** A floor: its name, and what it cost. */
export interface Floor {
  readonly name: string;
  readonly value: number;
}

/** The floor of a variant in the same shape: bare node:http or node:http2; undefined if it has none or that was not measured. */
export function floorOf(name: string, flat: ReadonlyMap<string, number>): Floor | undefined {
  const [server, speaks = "", ...shape] = name.split("/");
  if (server !== "valinor") return undefined;
  for (const floor of FLOORS[speaks] ?? []) {
    const named = [floor, ...shape].join("/");
    const value = flat.get(named);
    if (value !== undefined) return { name: named, value };
  }
  return undefined;
}
