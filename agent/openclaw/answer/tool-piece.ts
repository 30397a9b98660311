import { type UnknownObject, isObject, isUint32 } from "@valinor/protocol";

/** What a piece of a tool call says, whatever its form. Empty texts: nothing. */
export interface Piece {
  /** Undefined if the server does not number its calls. */
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  /** Arguments as text; those that came as an object are its JSON. */
  readonly args: string;
}

/** Reads the pieces of one delta, or the calls of one message: a list of them, or one alone. What is no object is left out. */
export function readPieces(value: unknown): readonly Piece[] {
  return (Array.isArray(value) ? value : [value]).filter(isObject).map(readPiece);
}

function readPiece(piece: UnknownObject): Piece {
  const called = isObject(piece["function"]) ? piece["function"] : piece;
  const { name, arguments: args = called["parameters"] } = called;
  return {
    index: readIndex(piece["index"]),
    id: readId(piece["id"]),
    name: typeof name === "string" ? name : "",
    args: typeof args === "string" ? args : (args ?? undefined) === undefined ? "" : JSON.stringify(args),
  };
}

function readIndex(value: unknown): number | undefined {
  const index = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return isUint32(index) ? index : undefined;
}

function readId(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? value : "";
}
