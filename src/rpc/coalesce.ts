import { createContextKey, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { RunStream } from "../core/types.ts";
import { encodeBatch } from "./encode.ts";
import { rewrap } from "./messages/handlers.ts";

/** Takes a run over from the implementation of Stream, and sends its events past the library: one piece for each wake. */
export interface Relay {
  /** Sends every event of the run that is left. Resolves after the last one; rejects with what ended the run, if that was an error. */
  send(run: RunStream): Promise<void>;
}

const none: Relay = {
  send: () => Promise.reject(new Error("this call was not made by a handler of coalesceStream")),
};

/** Context key of a call's relay; set for every call of Stream. */
export const relayKey = createContextKey<Relay>(none);

/**
 * Makes the handler of Stream send a run's events by itself, a batch at a time. The library sends what the implementation yields before it
 * hands its run to the relay, and the end of the stream: negotiation, headers, deadline, trailers and errors stay its work.
 */
export function coalesceStream(handler: UniversalHandler): UniversalHandler {
  return rewrap(handler, async (request) => {
    const handover = new Handover();
    const contextValues = request.contextValues ?? createContextValues();
    contextValues.set(relayKey, handover);
    const response = await handler({ ...request, contextValues });
    if (response.body === undefined) return response;
    const type = new Headers(response.header).get("content-type") ?? "";
    return { ...response, body: relayed(response.body, handover, type.endsWith("json")) };
  });
}

/** A run on its way from the implementation to the body of the answer, and its end on the way back. */
class Handover implements Relay {
  readonly #run = Promise.withResolvers<RunStream | undefined>();
  readonly #end = Promise.withResolvers<void>();

  send(run: RunStream): Promise<void> {
    this.#run.resolve(run);
    return this.#end.promise;
  }

  /** The run that was handed over; undefined if the implementation has ended without one. */
  taken(implementation: Promise<unknown>): Promise<RunStream | undefined> {
    const ended = () => this.#run.resolve(undefined);
    implementation.then(ended, ended);
    return this.#run.promise;
  }

  /** The run has ended: the implementation goes on. */
  finish(): void {
    this.#end.resolve();
  }

  /** The same, with an error. */
  fail(error: unknown): void {
    this.#end.reject(error);
  }
}

/** What the library sends up to the handover, the run's events, and what the library has to say at the end. */
async function* relayed(
  body: AsyncIterable<Uint8Array>,
  handover: Handover,
  json: boolean,
): AsyncGenerator<Uint8Array> {
  const library = body[Symbol.asyncIterator]();
  let run: RunStream | undefined;
  try {
    const first = await library.next();
    if (first.done === true) return;
    yield first.value;
    // This resumes the implementation, which hands its run over and waits for the end of it.
    const rest = library.next();
    run = await handover.taken(rest);
    if (run !== undefined) {
      try {
        for (let events = await run.next(); events !== undefined; events = await run.next())
          yield encodeBatch(events, json); // resumes when the client's connection has room for more
        handover.finish();
      } catch (error) {
        handover.fail(error);
      }
    }
    for (let next = await rest; next.done !== true; next = await library.next()) yield next.value;
  } finally {
    run?.close();
    handover.finish();
    await library.return?.();
  }
}
