import { createContextKey, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { RunStream } from "../core/types.ts";
import { encodeBatch } from "./encode.ts";
import { rewrap } from "./messages/handlers.ts";

/**
 * Where the implementation of Stream leaves its run: the library sends the first event and the end of the stream (negotiation,
 * headers, deadline, trailers, errors are its work), and what lies between leaves as one piece a wake.
 */
export interface StreamSlot {
  run: RunStream | undefined;
  /** What ended the run, where it was no `done`. */
  failure: unknown;
}

/** Context key of a call's slot; set for every call of Stream. */
export const slotKey = createContextKey<StreamSlot>({ run: undefined, failure: undefined });

/** Makes the handler of Stream send the events between the first and the end by itself, a batch at a time. */
export function coalesceStream(handler: UniversalHandler): UniversalHandler {
  return rewrap(handler, async (request) => {
    const slot: StreamSlot = { run: undefined, failure: undefined };
    const contextValues = request.contextValues ?? createContextValues();
    contextValues.set(slotKey, slot);
    const response = await handler({ ...request, contextValues });
    if (response.body === undefined) return response;
    const type = new Headers(response.header).get("content-type") ?? "";
    return { ...response, body: between(response.body, slot, type.endsWith("json")) };
  });
}

/** The library's first piece, the run's events, and then what the library has to say at the end. */
async function* between(
  body: AsyncIterable<Uint8Array>,
  slot: StreamSlot,
  json: boolean,
): AsyncGenerator<Uint8Array> {
  const library = body[Symbol.asyncIterator]();
  try {
    const first = await library.next();
    if (first.done === true) return;
    yield first.value;
    for (;;) {
      const batch = await nextBatch(slot);
      if (batch === undefined) break;
      yield encodeBatch(batch, json); // resumes when the client's connection has room for more
    }
    for (let next = await library.next(); next.done !== true; next = await library.next()) yield next.value;
  } finally {
    slot.run?.close();
    await library.return?.();
  }
}

/** The next events; undefined at the end, whose cause the slot then holds for the library. */
async function nextBatch(slot: StreamSlot) {
  try {
    return await slot.run?.next();
  } catch (error) {
    slot.failure = error;
    return undefined;
  }
}
