/** A piece of a filter, and its place: the number of characters before it. */
export interface FilterToken {
  readonly kind: "word" | "text" | "operator" | "end";
  /** As it was written, without quotes; empty at the end. */
  readonly value: string;
  /** Where it has stars that no backslash turns into plain characters: a star at the end is not part of `value`. */
  readonly star: "none" | "end" | "inside";
  readonly at: number;
}

/** Something that is no piece of a filter. */
export class FilterSyntaxError extends Error {
  override readonly name = "FilterSyntaxError";
  /** Characters before it. */
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

const SPACE = /[ \t\r\n]*/y;
const OPERATOR = /!=|=/y;
const WORD = /[A-Za-z0-9._:/*-]+/y;
const QUOTED = /"((?:[^"\\]|\\["\\*])*)"/y;

/** Cuts a filter into its pieces; the last one is `end`. Throws FilterSyntaxError. */
export function filterTokens(text: string): FilterToken[] {
  const tokens: FilterToken[] = [];
  let at = 0;
  for (;;) {
    at = endOf(SPACE, text, at) ?? at;
    if (at === text.length) return [...tokens, { kind: "end", value: "", star: "none", at }];
    const token = readToken(text, at);
    tokens.push(token.token);
    at = token.end;
  }
}

function readToken(text: string, at: number): { token: FilterToken; end: number } {
  const operator = endOf(OPERATOR, text, at);
  if (operator !== undefined) {
    const value = text.slice(at, operator);
    return { token: { kind: "operator", value, star: "none", at }, end: operator };
  }
  const word = endOf(WORD, text, at);
  if (word !== undefined) {
    return { token: { kind: "word", ...unescape(text.slice(at, word)), at }, end: word };
  }
  const quoted = endOf(QUOTED, text, at);
  if (quoted !== undefined) {
    return { token: { kind: "text", ...unescape(text.slice(at + 1, quoted - 1)), at }, end: quoted };
  }
  if (text[at] === '"')
    throw new FilterSyntaxError(at, 'a text in quotes ends with ", and has \\", \\\\ and \\* for these');
  throw new FilterSyntaxError(at, `${JSON.stringify(characterAt(text, at))} must be in double quotes`);
}

/** A star at the end matches any rest; `\*` is a plain star. Words have no backslash. */
function unescape(raw: string): Pick<FilterToken, "value" | "star"> {
  const first = raw.replaceAll(/\\./gs, "..").indexOf("*");
  const star = first < 0 ? "none" : first === raw.length - 1 ? "end" : "inside";
  const value = (star === "end" ? raw.slice(0, -1) : raw).replaceAll(/\\(.)/gs, "$1");
  return { value, star };
}

function endOf(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

/** The character at a place, whole even if it takes two units. */
function characterAt(text: string, at: number): string {
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}
