import { createParser, ParseError } from "eventsource-parser";
import type { Readable } from "node:stream";
import type { Bounds } from "../bounds.ts";
import { Failure } from "../failure.ts";
import { createCompletion, type ModelEvent } from "./completion.ts";

/** The rest of an answer is read for this long after its last event, so that the connection can serve again. */
const REST_MS = 1_000;

/** Takes events; what it answers is awaited before more of the body is read. */
export type TakeEvents = (events: readonly ModelEvent[]) => Promise<void> | undefined;

/**
 * Reads the body of a streamed answer and hands on the events of each piece of it, an empty list where a piece completes
 * none; the last event is `finish`. `onId` is told the answer's id. Throws Failure after the events that came before it.
 */
export async function readStream(
  body: Readable,
  bounds: Bounds,
  take: TakeEvents,
  onId: (id: string) => void = () => {},
): Promise<void> {
  let batch: ModelEvent[] = [];
  let done = false;
  const completion = createCompletion(bounds, (event) => batch.push(event), onId);
  const feed = createFeed(bounds, (data) => {
    if (done) return;
    if (data === "[DONE]") {
      completion.end();
      done = true;
    } else {
      completion.take(parse(data));
    }
  });
  let failure: Failure | undefined;
  /** Feeds text and hands on what came of it, also what came before a failure. */
  const pass = (text: string): Promise<void> | undefined => {
    try {
      feed(text);
    } catch (error) {
      failure = Failure.from(error);
    }
    const taken = batch;
    batch = [];
    return take(taken);
  };

  const decoder = new TextDecoder();
  try {
    for await (const bytes of body.iterator({ destroyOnReturn: false })) {
      const wait = pass(decoder.decode(bytes as Buffer, { stream: true }));
      if (wait !== undefined) await wait;
      if (failure !== undefined) throw failure;
      if (done) return readRest(body);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    // Nothing is missing of an answer that has said why it ends.
    if (!completion.finished) throw new Failure("read_error", "the model's answer broke off", error);
  }
  await pass(`${decoder.decode()}\n\n`); // an event without its blank line still counts
  if (failure !== undefined) throw failure;
  if (done) return;
  completion.end();
  await take(batch);
}

/** Reads an answer that came as one JSON object. Throws Failure. */
export async function readWhole(body: Readable, bounds: Bounds): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  const completion = createCompletion(bounds, (event) => events.push(event));
  completion.take(parse(await readText(body, bounds.modelEventBytes)));
  completion.end();
  return events;
}

/** Reads a body as text. Throws Failure `too_large` over `most` bytes, `read_error` where it breaks. */
export async function readText(body: Readable, most: number): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const bytes of body) {
      size += (bytes as Buffer).length;
      if (size > most) throw new Failure("too_large", `the model's answer is over ${most} bytes`);
      pieces.push(bytes as Buffer);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("read_error", "the model's answer broke off", error);
  }
  return Buffer.concat(pieces, size).toString("utf8");
}

/** An incremental parser of server-sent events whose events are bounded. */
function createFeed(bounds: Bounds, onData: (data: string) => void): (text: string) => void {
  const tooLarge = () =>
    new Failure("too_large", `an event of the model is over ${bounds.modelEventBytes} bytes`);
  const parser = createParser({
    maxBufferSize: bounds.modelEventBytes,
    onEvent: ({ data }) => onData(data),
    onError(error) {
      if (error instanceof ParseError && error.type === "max-buffer-size-exceeded") throw tooLarge();
    },
  });
  return (text) => parser.feed(text);
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch (error) {
    throw new Failure("parse_error", "the model's answer is not JSON", error);
  }
}

/** Lets the end of a body pass by; a body that does not end is dropped. */
function readRest(body: Readable): void {
  const timer = setTimeout(() => body.destroy(), REST_MS);
  body.once("close", () => clearTimeout(timer));
  body.resume();
}
