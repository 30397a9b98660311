import { randomBytes } from "node:crypto";
import type { Bounds } from "../../bounds.ts";
import { Failure } from "../../runs/failure.ts";
import { createJsonEnd, type JsonEnd } from "./json-end.ts";
import { type Piece, readPieces } from "./tool-piece.ts";

/** A tool call that the model has written to its end. All its texts are well-formed. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** Puts tool calls together from their pieces. */
export interface ToolCalls {
  /** Takes the `tool_calls` of one choice of one piece of the answer; each is a call of its own if `whole`. */
  take(choice: number, pieces: unknown, whole: boolean): void;
  /** The choice has ended: so have its calls. */
  finish(choice: number): void;
  /** All choices have. */
  finishAll(): void;
  /** True once there was a call. */
  readonly any: boolean;
}

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
 * Makes the collector of one answer's tool calls. A call is told when its choice has begun another one and its arguments are
 * whole JSON, or when its choice ends; in the order in which they began. Throws Failure `too_large` over a bound and
 * `parse_error` for a call without a name.
 */
export function createToolCalls(bounds: ToolBounds, emit: (call: ToolCall) => void): ToolCalls {
  const open: OpenCall[] = [];
  const ids = createIds();
  let any = false;

  function tell(call: OpenCall): void {
    open.splice(open.indexOf(call), 1);
    const name = call.name.toWellFormed();
    if (name === "") throw new Failure("parse_error", "the model calls a tool without a name");
    emit({ id: ids.take(call.id.toWellFormed()), name, arguments: call.parts.join("").toWellFormed() });
  }

  function finish(where: (call: OpenCall) => boolean): void {
    for (const call of open.filter(where)) tell(call);
  }

  function begin(choice: number, index: number): OpenCall {
    for (const call of open.filter((other) => other.choice === choice)) {
      if (call.index === index) call.sealed = true;
      if (!call.sealed && !call.end.reached) break; // more of it may come
      tell(call);
    }
    if (open.length >= bounds.openToolCalls) {
      throw new Failure("too_large", `the model writes more than ${bounds.openToolCalls} tool calls at once`);
    }
    any = true;
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
    open.push(call);
    return call;
  }

  function takePiece(choice: number, piece: Piece, place: number | undefined): void {
    if (piece.id === "" && piece.name === "" && piece.args === "") return;
    const mine = open.filter((call) => call.choice === choice && !call.sealed);
    const known = find(mine, piece, place);
    if (known !== undefined && !beginsAnother(known, piece)) return addTo(known, piece, bounds);
    // Without an index a call is put behind the others, which may still go on by their ids.
    const index = piece.index ?? place ?? Math.max(-1, ...mine.map((call) => call.index)) + 1;
    addTo(begin(choice, index), piece, bounds);
  }

  return {
    take(choice, list, whole) {
      const pieces = readPieces(list);
      for (const [position, piece] of pieces.entries()) {
        if (whole) addTo(begin(choice, position), piece, bounds);
        // A piece alone that has no index goes on with the call before it; several are told apart by their places.
        else takePiece(choice, piece, pieces.length > 1 ? position : undefined);
      }
    },
    finish: (choice) => finish((call) => call.choice === choice),
    finishAll: () => finish(() => true),
    get any() {
      return any;
    },
  };
}

/** Clients tell calls apart by their ids alone, so that a missing id, or one that another call had before, is replaced. */
function createIds() {
  const taken = new Set<string>();
  return {
    take(told: string): string {
      const id = told === "" || taken.has(told) ? `call_${randomBytes(12).toString("hex")}` : told;
      taken.add(id);
      const [oldest] = taken;
      if (taken.size > IDS && oldest !== undefined) taken.delete(oldest);
      return id;
    },
  };
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
