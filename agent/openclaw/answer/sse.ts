import { createParser, ParseError } from "eventsource-parser";
import type { Bounds } from "../../bounds.ts";
import { Failure } from "@valinor/protocol";
import { describeError } from "../describe.ts";
import { parseModelJson } from "./json.ts";

/** One server-sent event. */
export interface SseEvent {
  /** Undefined if the event has no name. */
  readonly name: string | undefined;
  readonly data: string;
}

/** Names of events, and data without JSON, that only say that the server lives. */
const ALIVE = new Set(["ping", "pong", "heartbeat", "keepalive", "keep-alive"]);

/** Makes an incremental parser of server-sent events. Throws Failure `too_large` for an event over `modelEventBytes`. */
export function createSse(
  bounds: Pick<Bounds, "modelEventBytes">,
  onEvent: (event: SseEvent) => void,
): (text: string) => void {
  const tooLarge = () =>
    new Failure("too_large", `an event of the model is over ${bounds.modelEventBytes} bytes`);
  const parser = createParser({
    maxBufferSize: bounds.modelEventBytes,
    onEvent: ({ event, data }) => onEvent({ name: event, data }),
    onError(error) {
      if (error instanceof ParseError && error.type === "max-buffer-size-exceeded") throw tooLarge();
    },
  });
  return (text) => parser.feed(text);
}

/** What an event tells: the objects of an answer (none in a sign of life), and whether the answer's end mark came. */
export interface Told {
  readonly values: readonly unknown[];
  readonly done: boolean;
}

/**
 * Reads an event. Throws Failure `openclaw_error` for one of the name `error`, `parse_error` for data that is not JSON. If the data as
 * a whole is not JSON, each of its lines is read as one event: some servers leave out the blank lines between them.
 */
export function readEvent({ name, data }: SseEvent): Told {
  // The hot path: one object, as nearly every event is.
  const object = name === undefined && data.startsWith("{") ? parseJson(data) : undefined;
  if (object !== undefined) return { values: [object], done: false };
  const text = data.trim();
  if (name === "error") throw new Failure("openclaw_error", `OpenClaw reports: ${describeData(text)}`);
  if (text === "" || isAlive(name) || isAlive(text)) return { values: [], done: false };
  const whole = parseJson(text);
  const lines = whole === undefined ? text.split("\n").map((line) => line.trim()) : [];
  const done = isEndMark(text) || lines.some(isEndMark);
  if (isEndMark(text)) return { values: [], done };
  const values =
    whole === undefined ? lines.filter((line) => line !== "" && !isEndMark(line)).map(parseJson) : [whole];
  if (values.includes(undefined)) throw notJson(text);
  return { values: values.filter((value) => value !== null), done };
}

function isAlive(word: string | undefined): boolean {
  return word !== undefined && ALIVE.has(word.toLowerCase());
}

function isEndMark(text: string): boolean {
  return /^"?\[done\]"?$/i.test(text);
}

function describeData(text: string): string {
  return describeError(parseJson(text) ?? text);
}

/** Undefined for text that is not JSON. Throws Failure `too_large`. */
function parseJson(text: string): unknown {
  try {
    return parseModelJson(text);
  } catch (error) {
    if (error instanceof Failure) throw error;
    return undefined;
  }
}

/** What the data says in words, if it has any; broken JSON says nothing. */
function notJson(text: string): Failure {
  const words = /^[{["]/.test(text) ? "" : `: ${describeError(text)}`;
  return new Failure("parse_error", `the model's answer is not JSON${words}`, new SyntaxError("no JSON"));
}
