import type { JsonObject } from "@bufbuild/protobuf";

/** What became of a text that was to be a JSON object. Lines and columns count from 1. */
export type JsonCheck =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly line: number; readonly column: number; readonly message: string };

/** A token of JSON, white space before it included, or nothing if there is none. */
const TOKEN =
  /[ \t\r\n]*(?:([{}[\],:])|("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])|$)/y;

/** Deepest nesting that is looked at; the server's bound is lower. */
const MAX_DEPTH = 200;

/** Reads a JSON object, or says where it stops being one. Each browser says that in its own way, or not at all. */
export function checkJson(text: string): JsonCheck {
  try {
    const value: unknown = JSON.parse(text);
    const lost = findLostNumber(text);
    if (lost !== undefined) return { ok: false, ...placeOf(text, lost), message: LOST };
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return { ok: true, value: value as JsonObject };
    }
    return { ok: false, line: 1, column: 1, message: "the configuration is an object: { ... }" };
  } catch (error) {
    const found = findFault(text);
    const message = found?.message ?? (error instanceof Error ? error.message : "this is not JSON");
    return { ok: false, ...placeOf(text, found?.at ?? 0), message };
  }
}

const LOST = "the number is beyond what would be kept of it: write it as a text";

/** Where a number stands, in a text that is JSON, that would be stored as another one. */
function findLostNumber(text: string): number | undefined {
  const token = new RegExp(TOKEN);
  for (let match = token.exec(text); match !== null && match[0] !== ""; match = token.exec(text)) {
    const word = match[3] ?? "";
    const number = /^[-\d]/.test(word) ? Number(word) : 0;
    if (!Number.isFinite(number) || (Number.isInteger(number) && !Number.isSafeInteger(number)))
      return token.lastIndex - word.length;
  }
  return undefined;
}

/** Line and column of a place in a text. */
export function placeOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") };
}

type Fault = { at: number; message: string };
type Expect = "value" | "first value" | "key" | "first key" | "colon" | "comma" | "end";

const wanted: Record<Expect, string> = {
  value: "a value",
  "first value": "a value or ]",
  key: "a name in double quotes",
  "first key": "a name in double quotes or }",
  colon: "a colon",
  comma: "a comma or the closing bracket",
  end: "nothing more",
};

/** Walks over the tokens to the first that may not stand where it does. */
function findFault(text: string): Fault | undefined {
  const stack: string[] = [];
  let expect: Expect = "value";
  const pattern = new RegExp(TOKEN);
  for (;;) {
    const from = pattern.lastIndex;
    const match = pattern.exec(text);
    const at = from + (/^[ \t\r\n]*/.exec(text.slice(from))?.[0].length ?? 0);
    if (match === null) return { at, message: strange(text, at) };
    const [, mark, string, scalar] = match;
    const next = step(expect, stack, mark, string !== undefined, scalar !== undefined);
    if (next === undefined) {
      const ended = mark === undefined && string === undefined && scalar === undefined;
      if (ended && expect === "end") return undefined;
      return { at, message: `${ended ? "the text ends" : "here"}: ${wanted[expect]} was expected` };
    }
    if (stack.length > MAX_DEPTH) return { at, message: "this is nested too deeply" };
    expect = next;
  }
}

/** What may follow a token; undefined if it may not stand here. */
function step(
  expect: Expect,
  stack: string[],
  mark: string | undefined,
  string: boolean,
  scalar: boolean,
): Expect | undefined {
  const after = (): Expect => (stack.length === 0 ? "end" : "comma");
  const value = expect === "value" || expect === "first value";
  if (value && (string || scalar)) return after();
  if (value && (mark === "{" || mark === "[")) {
    stack.push(mark);
    return mark === "{" ? "first key" : "first value";
  }
  if ((expect === "key" || expect === "first key") && string) return "colon";
  if (expect === "colon" && mark === ":") return "value";
  if (expect === "comma" && mark === ",") return stack.at(-1) === "{" ? "key" : "value";
  const closes = mark === "}" ? "{" : mark === "]" ? "[" : undefined;
  const may = expect === "comma" || expect === (closes === "{" ? "first key" : "first value");
  if (closes !== undefined && may && stack.at(-1) === closes) {
    stack.pop();
    return after();
  }
  return undefined;
}

function strange(text: string, at: number): string {
  const char = text.charAt(at);
  if (char === '"') return "this text is not closed, or has a character that must be escaped";
  if (char === "'") return "texts stand in double quotes";
  if (text.startsWith("//", at) || text.startsWith("/*", at)) return "JSON does not allow comments";
  return "not a value: a value is a number, true, false, null, a text in double quotes, [ ] or { }";
}
