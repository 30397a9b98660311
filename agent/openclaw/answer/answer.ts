import type { Readable } from "node:stream";
import type { Bounds } from "../../bounds.ts";
import { Failure } from "@valinor/protocol";
import type { ModelEvent } from "../../runs/model.ts";
import { Completion } from "./completion.ts";
import { decodedBytes } from "./decode.ts";
import { describeBody } from "../describe.ts";
import { parseModelJson } from "./json.ts";
import { createSse, readEvent } from "./sse.ts";

/** The rest of an answer is read for this long after its last event, so that the connection can serve again. */
const REST_MS = 1_000;
/** How much of what is no answer is kept for an error, in UTF-16 units. */
const WORDS_LENGTH = 16 * 1024;

/** Takes events; what it answers is awaited before more of the body is read. */
export type TakeEvents = (events: readonly ModelEvent[]) => Promise<void> | undefined;

/** An answer of a model's server whose body has not been read. */
export interface AnswerBody {
  readonly body: Readable;
  /** `content-type` and `content-encoding`; empty if there is none. */
  readonly type: string;
  readonly encoding: string;
}

/** Reads text in one of the forms that an answer can have. */
interface Reading {
  /** Throws Failure. */
  feed(text: string): void;
  /** The body has ended. Throws Failure. */
  end(): void;
  /** True once the answer's end mark came. */
  readonly done: boolean;
}

/**
 * Reads an answer, streamed or in one piece, whatever its headers say of that, and hands on the events of each piece of its
 * body, an empty list for a piece that completes none; the last event is `finish`. `onId` is told the answer's id. Throws
 * Failure after the events that came before it.
 */
export async function readAnswer(
  answer: AnswerBody,
  bounds: Bounds,
  take: TakeEvents,
  onId: (id: string) => void = () => {},
): Promise<void> {
  let batch: ModelEvent[] = [];
  const completion = new Completion(bounds, (event) => batch.push(event), onId);
  const reading = createReading(/^\s*text\/event-stream/i.test(answer.type), completion, bounds);
  let failure: Failure | undefined;
  /** Takes a step and hands on what came of it, also what came before a failure. */
  const pass = (step: () => void): Promise<void> | undefined => {
    try {
      step();
    } catch (error) {
      failure = Failure.from(error);
    }
    const taken = batch;
    batch = [];
    return take(taken);
  };

  const decoder = new TextDecoder();
  try {
    for await (const bytes of decodedBytes(answer.body, answer.encoding, bounds)) {
      const wait = pass(() => reading.feed(decoder.decode(bytes, { stream: true })));
      if (wait !== undefined) await wait;
      if (failure !== undefined) throw failure;
      if (reading.done) return readRest(answer.body);
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    // Nothing is missing of an answer that has said why it ends.
    if (!completion.finished) throw new Failure("read_error", "the model's answer broke off", error);
  }
  await pass(() => {
    reading.feed(decoder.decode());
    reading.end();
  });
  if (failure !== undefined) throw failure;
}

/** Reads a body as text, decompressed. Throws Failure `too_large` over `most` bytes, `read_error` if it breaks. */
export async function readText(answer: AnswerBody, most: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const bytes of decodedBytes(answer.body, answer.encoding, { modelDecodedBytes: most })) {
      if (text.length + bytes.length > most)
        throw new Failure("too_large", `the model's answer is over ${most} bytes`);
      text += decoder.decode(bytes, { stream: true });
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("read_error", "the model's answer broke off", error);
  }
  return text + decoder.decode();
}

/** Waits for the first words, which say what the answer is, and then reads it as that. */
function createReading(isEventStream: boolean, completion: Completion, bounds: Bounds): Reading {
  let head = "";
  let reading: Reading | undefined;

  function begin(form: Form): void {
    reading =
      form === "stream"
        ? readingStream(completion, bounds)
        : form === "json"
          ? readingWhole(completion, bounds)
          : readingWords(completion);
    reading.feed(head);
    head = "";
  }

  return {
    feed(text) {
      if (reading !== undefined) return reading.feed(text);
      head += text;
      const form = formOf(head.trimStart(), isEventStream);
      if (form !== undefined) begin(form);
      else head = head.trimStart();
    },
    end() {
      if (reading === undefined) begin(isEventStream ? "stream" : "words");
      reading?.end();
    },
    get done() {
      return reading?.done ?? false;
    },
  };
}

type Form = "stream" | "json" | "words";

/** What an answer that begins so is; undefined if more is needed to tell. */
function formOf(head: string, isEventStream: boolean): Form | undefined {
  if (head === "") return undefined;
  if (head.startsWith("{") || head.startsWith("[")) return "json";
  if (head.startsWith("<")) return "words";
  if (/^(?::|(?:data|event|id|retry)(?:[:\r\n]))/.test(head)) return "stream";
  if (["data", "event", "id", "retry"].some((field) => field.startsWith(head))) return undefined;
  return isEventStream ? "stream" : "words";
}

function readingStream(completion: Completion, bounds: Bounds): Reading {
  let done = false;
  const feed = createSse(bounds, (event) => {
    if (done) return;
    const told = readEvent(event);
    for (const value of told.values) completion.take(value);
    if (told.done) completion.end("told");
    done = told.done;
  });
  return {
    feed,
    end() {
      try {
        feed("\n\n"); // an event without its blank line still counts
      } catch (error) {
        // Half of an event is no fault in it but the end of the answer before its time.
        if (Failure.from(error).code !== "parse_error") throw error;
        if (!completion.finished) throw new Failure("truncated", "the model's answer is not complete", error);
      }
      if (!done) completion.end("closed");
    },
    get done() {
      return done;
    },
  };
}

function readingWhole(completion: Completion, bounds: Bounds): Reading {
  const pieces: string[] = [];
  let size = 0;
  return {
    feed(text) {
      size += Buffer.byteLength(text);
      if (size > bounds.modelEventBytes) {
        throw new Failure("too_large", `the model's answer is over ${bounds.modelEventBytes} bytes`);
      }
      pieces.push(text);
    },
    end() {
      completion.take(parse(pieces.join("")));
      completion.end("told");
    },
    done: false,
  };
}

/** No answer at all, such as the page of a proxy. */
function readingWords(completion: Completion): Reading {
  let words = "";
  return {
    feed(text) {
      words += text.slice(0, WORDS_LENGTH - words.length);
    },
    end() {
      if (words.trim() === "") return completion.end("closed");
      throw new Failure("parse_error", `the model's answer is not JSON${describeBody(words)}`);
    },
    done: false,
  };
}

function parse(text: string): unknown {
  try {
    return parseModelJson(text);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("parse_error", "the model's answer is not JSON", error);
  }
}

/** Lets the end of a body pass by; a body that does not end is dropped. */
function readRest(body: Readable): void {
  const timer = setTimeout(() => body.destroy(), REST_MS);
  body.once("close", () => clearTimeout(timer));
  body.resume();
}
