import { randomBytes } from "node:crypto";
import type { Bounds } from "../bounds.ts";
import { Failure } from "../failure.ts";
import { isObject, isUint32 } from "../../src/wire/values.ts";

/** A tool call that the model has written to its end. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** Puts tool calls together from their pieces. */
export interface ToolCalls {
  /** Takes the `tool_calls` of one choice of one piece of the answer. */
  take(choice: number, pieces: unknown): void;
  /** The choice has ended: so have its calls. */
  finish(choice: number): void;
  /** All choices have. */
  finishAll(): void;
}

/** A call that is still being written. */
interface OpenCall {
  readonly choice: number;
  readonly index: number;
  id: string;
  name: string;
  parts: string[];
  bytes: number;
}

/** Longest id and name of a call, in UTF-16 units. */
const NAME_LENGTH = 256;

/**
 * Makes the collector of one answer's tool calls. A call is finished when its choice begins another one or ends.
 * Throws Failure `too_large` over a bound and `parse_error` for a call without a name.
 */
export function createToolCalls(
  bounds: Pick<Bounds, "toolArgumentsBytes" | "openToolCalls">,
  emit: (call: ToolCall) => void,
): ToolCalls {
  const open: OpenCall[] = [];

  function finish(where: (call: OpenCall) => boolean): void {
    for (const call of open.filter(where)) {
      open.splice(open.indexOf(call), 1);
      if (call.name === "") throw new Failure("parse_error", "the model calls a tool without a name");
      const id = call.id === "" ? `call_${randomBytes(12).toString("hex")}` : call.id;
      emit({ id, name: call.name, arguments: call.parts.join("") });
    }
  }

  function begin(choice: number, index: number): OpenCall {
    finish((call) => call.choice === choice);
    if (open.length >= bounds.openToolCalls) {
      throw new Failure("too_large", `the model writes more than ${bounds.openToolCalls} tool calls at once`);
    }
    const call = { choice, index, id: "", name: "", parts: [], bytes: 0 };
    open.push(call);
    return call;
  }

  function addTo(
    call: OpenCall,
    piece: { readonly id: unknown; readonly name: unknown; readonly args: unknown },
  ) {
    if (typeof piece.id === "string" && call.id === "") call.id = piece.id;
    if (typeof piece.name === "string") call.name += piece.name;
    if (call.id.length > NAME_LENGTH || call.name.length > NAME_LENGTH) {
      throw new Failure("too_large", `the id or name of a tool call is longer than ${NAME_LENGTH}`);
    }
    if (piece.args === undefined || piece.args === null || piece.args === "") return;
    const text = typeof piece.args === "string" ? piece.args : JSON.stringify(piece.args);
    call.bytes += Buffer.byteLength(text);
    if (call.bytes > bounds.toolArgumentsBytes) {
      throw new Failure(
        "too_large",
        `the arguments of a tool call are over ${bounds.toolArgumentsBytes} bytes`,
      );
    }
    call.parts.push(text);
  }

  return {
    take(choice, pieces) {
      if (!Array.isArray(pieces)) return;
      for (const [position, piece] of pieces.entries()) {
        if (!isObject(piece)) continue;
        const index = isUint32(piece["index"]) ? piece["index"] : position;
        const called = isObject(piece["function"]) ? piece["function"] : {};
        const known = open.find((call) => call.choice === choice && call.index === index);
        addTo(known ?? begin(choice, index), {
          id: piece["id"],
          name: called["name"],
          args: called["arguments"],
        });
      }
    },
    finish: (choice) => finish((call) => call.choice === choice),
    finishAll: () => finish(() => true),
  };
}
