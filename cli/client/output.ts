/** Characters that a terminal may take for commands: all control characters but newline and tab. */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** The same, with newline and tab. */
const ALL_CONTROLS = /\p{Cc}/gu;

/** Forms in which commands print. */
export type OutputForm = "table" | "json";

/** A text in which control characters but newline and tab are visible signs: ESC is a small `ESC` that does nothing. */
export function neutralise(text: string): string {
  return text.replaceAll(CONTROLS, sign);
}

/** A text for one cell of a table, or one line: newline and tab are signs too. */
export function cell(text: string): string {
  return text.replaceAll(ALL_CONTROLS, sign);
}

/** Writes a text that came from elsewhere: as it is to a file or pipe, neutralised to a terminal. */
export function writeText(text: string): void {
  process.stdout.write(process.stdout.isTTY ? neutralise(text) : text);
}

/** Writes a text of this program's own. */
export function writeOwn(text: string): void {
  process.stdout.write(text);
}

/** Writes a JSON value, indented. */
export function writeJson(value: unknown): void {
  process.stdout.write(`${jsonText(value, 2)}\n`);
}

/** Writes a JSON value as one line. */
export function writeJsonLine(value: unknown): void {
  process.stdout.write(`${jsonText(value)}\n`);
}

/** Writes a line to stderr, always neutralised: what stands there is for people. */
export function note(text: string): void {
  process.stderr.write(`${neutralise(text)}\n`);
}

/** JSON without the control characters that JSON.stringify leaves as they are. */
function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent);
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u007f-\u009f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** The control picture of a C0 character or DEL; the others have none. */
function sign(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}
