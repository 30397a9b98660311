/** Most words that `!words` makes. */
const MAX_WORDS = 1_000_000;
/** Most bytes that `!bytes` makes. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Size of one delta of `!bytes`. */
const BYTES_PER_DELTA = 16 * 1024;
/** Longest `!stall`, in seconds. */
const MAX_STALL_SECONDS = 3600;
/** Slowest `!pace`, in milliseconds a word. */
const MAX_PACE_MS = 60_000;

/** One thing that the scripted model does; they are done in the order of the message. */
export type Step =
  /** `count` pieces of text, a delta each; `fast` ones are not slowed down to a human pace. */
  | { kind: "text"; count: number; pieces: () => Iterable<string>; fast: boolean }
  /** Silence. */
  | { kind: "stall"; ms: number }
  /** A tool call with its arguments as text. */
  | { kind: "tool"; name: string; args: string };

/** What a message tells the scripted model to do. */
export interface Script {
  readonly steps: readonly Step[];
  /** Milliseconds between words, if the message says so. */
  readonly paceMs: number | undefined;
  /** HTTP status to fail with, if the message says so. */
  readonly fail: number | undefined;
  /** Drop the connection when half of the text is out. */
  readonly cut: boolean;
  /** The message without its directives. */
  readonly words: string;
}

interface Draft {
  steps: Step[];
  paceMs: number | undefined;
  fail: number | undefined;
  cut: boolean;
}

// A directive starts the message or follows white space, so that "hey!words" is only talk.
const DIRECTIVE =
  /(?<=^|\s)!(?:(echo)(?:[ \t]|(?=\n)|$)|(tool)\s+([\w.-]+)|(words|bytes|fail|stall|pace)\s+(\d+(?:\.\d+)?)(?=\s|$)|(cut)(?=\s|$))/g;

/**
 * Reads the directives out of a user's message: `!tool NAME JSON`, `!fail CODE`, `!stall SECONDS`, `!words N`, `!pace MS`,
 * `!bytes N`, `!cut`, and `!echo TEXT`, whose text is everything that follows. Numbers beyond their limit are cut down
 * to it. What is no directive stays in `words`.
 */
export function parseScript(message: string): Script {
  const draft: Draft = { steps: [], paceMs: undefined, fail: undefined, cut: false };
  let words = "";
  let from = 0;
  const pattern = new RegExp(DIRECTIVE);
  for (let match = pattern.exec(message); match !== null; match = pattern.exec(message)) {
    const [, echo, tool, toolName, numeric, number, cut] = match;
    words += message.slice(from, match.index);
    from = pattern.lastIndex;
    if (cut !== undefined) draft.cut = true;
    if (numeric !== undefined) applyNumber(draft, numeric, Number(number));
    if (tool !== undefined && toolName !== undefined) {
      const args = readArguments(message, from);
      draft.steps.push({ kind: "tool", name: toolName, args: args.text });
      from = args.end;
    }
    if (echo !== undefined) {
      draft.steps.push(textStep(message.slice(from)));
      from = message.length;
    }
    pattern.lastIndex = from;
    if (from >= message.length) break;
  }
  words += message.slice(from);
  return { ...draft, words: words.replaceAll(/\s+/g, " ").trim() };
}

/** Makes the step that says `text`, a word a delta; the deltas together are exactly `text`. */
export function textStep(text: string): Step {
  const pieces = text.match(/\S+\s*|\s+/g) ?? [];
  return { kind: "text", count: pieces.length, pieces: () => pieces, fast: false };
}

function applyNumber(draft: Draft, directive: string, value: number): void {
  if (directive === "words") draft.steps.push(numberedWords(Math.min(Math.floor(value), MAX_WORDS)));
  if (directive === "bytes") draft.steps.push(bytes(Math.min(Math.floor(value), MAX_BYTES)));
  if (directive === "stall")
    draft.steps.push({ kind: "stall", ms: Math.min(value, MAX_STALL_SECONDS) * 1000 });
  if (directive === "pace") draft.paceMs = Math.min(value, MAX_PACE_MS);
  if (directive === "fail" && value >= 400 && value <= 599) draft.fail = Math.floor(value);
}

function numberedWords(count: number): Step {
  function* pieces(): Iterable<string> {
    for (let n = 1; n <= count; n++) yield n === 1 ? "word1" : ` word${n}`;
  }
  return { kind: "text", count, pieces, fast: false };
}

function bytes(total: number): Step {
  const line = `${"valinor ".repeat(8).trimEnd()}\n`;
  const full = line.repeat(BYTES_PER_DELTA / line.length);
  function* pieces(): Iterable<string> {
    let left = total;
    for (; left >= BYTES_PER_DELTA; left -= BYTES_PER_DELTA) yield full;
    if (left > 0) yield full.slice(0, left);
  }
  return { kind: "text", count: Math.ceil(total / BYTES_PER_DELTA), pieces, fast: true };
}

/** Takes the JSON object at `from`, by its braces; an object that never closes is taken as it is, so that tests can break it. */
function readArguments(message: string, from: number): { text: string; end: number } {
  let start = from;
  while (/\s/.test(message.charAt(start))) start++;
  if (message.charAt(start) !== "{") return { text: "{}", end: from };
  let depth = 0;
  let inString = false;
  for (let at = start; at < message.length; at++) {
    const char = message.charAt(at);
    if (inString) {
      if (char === "\\") at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) return { text: message.slice(start, at + 1), end: at + 1 };
  }
  return { text: message.slice(start), end: message.length };
}
