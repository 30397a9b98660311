import { createContextKey, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { MARGIN, StreamBody } from "../core/stream-body.ts";
import type { RunStream } from "../core/types.ts";
import { encodeBatch } from "./encode.ts";
import { rewrap } from "./messages/handlers.ts";
import { peerKey } from "./peer.ts";

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
 * Makes the handler of Stream send a run's events by itself, a batch at a time, and straight to the connection if it knows the response that
 * they go to as they are. The library sends what the implementation yields before it hands its run to the relay, and the end of the
 * stream: negotiation, headers, deadline, trailers and errors stay its work.
 */
export function coalesceStream(handler: UniversalHandler): UniversalHandler {
  return rewrap(handler, async (request) => {
    const handover = new Handover();
    const contextValues = request.contextValues ?? createContextValues();
    contextValues.set(relayKey, handover);
    const response = await handler({ ...request, contextValues });
    if (response.body === undefined) return response;
    const type = new Headers(response.header).get("content-type") ?? "";
    const answer = contextValues.get(peerKey).response;
    const direct = answer && new StreamBody(answer);
    return { ...response, body: relayed(response.body, handover, type.endsWith("json"), direct) };
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
  direct: StreamBody | undefined,
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
        // The first piece has left, and with it the head: it was taken before this was asked for more.
        if (direct !== undefined) await sendRun(run, direct, json);
        else
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

/** Sends the events of a run to its end, each batch when the client has room for it. Rejects with what ended the run. */
async function sendRun(run: RunStream, body: StreamBody, json: boolean): Promise<void> {
  for (let events = await run.next(); events !== undefined; events = await run.next()) {
    const bytes = encodeBatch(events, json, MARGIN);
    const taken = body.sendBytes(bytes, MARGIN, bytes.length - MARGIN);
    // The client has left: then the run says so, too.
    if (taken !== true && !(await taken)) run.close();
  }
}
