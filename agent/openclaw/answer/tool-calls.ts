import type { Bounds } from "../../bounds.ts";
import { Failure } from "@valinor/protocol";
import type { ToolCall } from "../../runs/model.ts";
import { createJsonEnd, type JsonEnd } from "./json-end.ts";
import { type Piece, readPieces } from "./tool-piece.ts";

/** A call that is still being written, or waits for one before it. */
interface OpenCall {
  readonly choice: number;
  readonly index: number;
  /** Another call has begun at its index: no piece belongs to it any more. */
  sealed: boolean;
  id: string;
  name: string;
  parts: string[];
  bytes: number;
  readonly end: JsonEnd;
}

type ToolBounds = Pick<Bounds, "toolArgumentsBytes" | "openToolCalls">;

/** Longest id and name of a call, in UTF-16 units. */
const NAME_LENGTH = 256;
/** Ids of an answer that are remembered, so that no id names two calls. */
const IDS = 1_024;

/**
 * Puts the tool calls of one answer together from their pieces. A call is told when its choice has begun another one and its arguments are
 * whole JSON, or when its choice ends; in the order in which they began. Throws Failure `too_large` over a bound and
 * `parse_error` for a call without a name.
 */
export class ToolCalls {
  readonly #bounds: ToolBounds;
  readonly #emit: (call: ToolCall) => void;
  readonly #open: OpenCall[] = [];
  readonly #ids = new Ids();
  #any = false;

  constructor(bounds: ToolBounds, emit: (call: ToolCall) => void) {
    this.#bounds = bounds;
    this.#emit = emit;
  }

  /** Takes the `tool_calls` of one choice of one piece of the answer; if they come `whole`, each is a call of its own. */
  take(choice: number, list: unknown, whole: boolean): void {
    const pieces = readPieces(list);
    for (const [position, piece] of pieces.entries()) {
      if (whole) addTo(this.#begin(choice, position), piece, this.#bounds);
      // A single piece that has no index goes on with the call before it; several are told apart by their places.
      else this.#takePiece(choice, piece, pieces.length > 1 ? position : undefined);
    }
  }

  /** The choice has ended: so have its calls. */
  finish(choice: number): void {
    for (const call of this.#open.filter((each) => each.choice === choice)) this.#tell(call);
  }

  /** All choices have ended. */
  finishAll(): void {
    for (let [call] = this.#open; call !== undefined; [call] = this.#open) this.#tell(call);
  }

  /** True once there was a call. */
  get any(): boolean {
    return this.#any;
  }

  #takePiece(choice: number, piece: Piece, place: number | undefined): void {
    if (piece.id === "" && piece.name === "" && piece.args === "") return;
    const mine = this.#open.filter((call) => call.choice === choice && !call.sealed);
    const known = find(mine, piece, place);
    if (known !== undefined && !beginsAnother(known, piece)) return addTo(known, piece, this.#bounds);
    // Without an index a call is put behind the others, which may still go on by their ids.
    const index = piece.index ?? place ?? Math.max(-1, ...mine.map((call) => call.index)) + 1;
    addTo(this.#begin(choice, index), piece, this.#bounds);
  }

  #begin(choice: number, index: number): OpenCall {
    for (const call of this.#open.filter((other) => other.choice === choice)) {
      if (call.index === index) call.sealed = true;
      if (!call.sealed && !call.end.reached) break; // more of it may come
      this.#tell(call);
    }
    const { openToolCalls: most } = this.#bounds;
    if (this.#open.length >= most)
      throw new Failure("too_large", `the model writes more than ${most} tool calls at once`);
    this.#any = true;
    const call: OpenCall = {
      choice,
      index,
      sealed: false,
      id: "",
      name: "",
      parts: [],
      bytes: 0,
      end: createJsonEnd(),
    };
    this.#open.push(call);
    return call;
  }

  #tell(call: OpenCall): void {
    this.#open.splice(this.#open.indexOf(call), 1);
    const name = call.name.toWellFormed();
    if (name === "") throw new Failure("parse_error", "the model calls a tool without a name");
    const id = this.#ids.take(call.id.toWellFormed());
    this.#emit({ id, name, arguments: call.parts.join("").toWellFormed() });
  }
}

/** Clients tell calls apart by their ids alone, so that a missing id, or one that another call had before, is replaced. */
class Ids {
  readonly #taken = new Set<string>();

  take(told: string): string {
    const id =
      told === "" || this.#taken.has(told)
        ? `call_${process.getBuiltinModule("node:crypto").randomBytes(12).toString("hex")}`
        : told;
    this.#taken.add(id);
    const [oldest] = this.#taken;
    if (this.#taken.size > IDS && oldest !== undefined) this.#taken.delete(oldest);
    return id;
  }
}

/** The call that a piece goes on with, if there is one. */
function find(mine: readonly OpenCall[], piece: Piece, place: number | undefined): OpenCall | undefined {
  const named = piece.id === "" ? undefined : mine.findLast(({ id }) => id === piece.id);
  if (piece.index === undefined && named !== undefined) return named;
  const index = piece.index ?? place;
  return index === undefined ? mine.at(-1) : mine.findLast((call) => call.index === index);
}

/** Adds what a piece says. Throws Failure `too_large` over a bound. */
function addTo(call: OpenCall, piece: Piece, { toolArgumentsBytes: most }: ToolBounds): void {
  if (call.id === "") call.id = piece.id;
  call.name = nameWith(call, piece.name);
  if (call.id.length > NAME_LENGTH || call.name.length > NAME_LENGTH) {
    throw new Failure("too_large", `the id or name of a tool call is longer than ${NAME_LENGTH}`);
  }
  if (piece.args === "") return;
  call.bytes += Buffer.byteLength(piece.args);
  if (call.bytes > most) {
    throw new Failure("too_large", `the arguments of a tool call are over ${most} bytes`);
  }
  call.end.add(piece.args);
  call.parts.push(piece.args);
}

/**
 * True if a piece does not go on with a call but begins the next: by another id, or by a name once arguments have come, if it
 * is another name or the arguments are whole. Servers repeat names, and some make a new id for each piece, so that neither a
 * repeated name nor an id without a name begins anything while arguments are on their way.
 */
function beginsAnother(call: OpenCall, { id, name, args }: Piece): boolean {
  const afterWhole = call.end.reached && args.trim() !== "";
  if (id !== "" && call.id !== "" && id !== call.id) return name !== "" || afterWhole;
  if (name === "" || call.name === "" || call.parts.length === 0) return false;
  return name !== call.name || afterWhole;
}

/** The name with a further piece of it: a piece that repeats the name, or its beginning, is not added. */
function nameWith(call: OpenCall, name: string): string {
  if (name === "" || call.parts.length > 0) return call.name === "" ? name : call.name;
  return name.startsWith(call.name) ? name : call.name + name;
}
