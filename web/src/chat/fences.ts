/** A stretch of an answer's text: prose, or a block of code with the lines of its fence. */
export interface Stretch {
  readonly code: boolean;
  readonly text: string;
}

/** A line that begins or ends code: three backticks or more, indented by three spaces at most. */
const FENCE = /^ {0,3}(`{3,})[^`]*$/;

/**
 * Cuts text into prose and code at lines of three backticks or more. The stretches together are exactly the text: nothing of it is read as
 * markup. `open` is the fence that the text begins within, empty if there is none; the answer's `open` is the one it ends within.
 */
export function splitFences(text: string, open = ""): { stretches: Stretch[]; open: string } {
  const stretches: Stretch[] = [];
  let fence = open;
  let from = 0;
  const cut = (at: number, code: boolean) => {
    if (at > from) stretches.push({ code, text: text.slice(from, at) });
    from = at;
  };
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline + 1;
    const marks =
      text.charCodeAt(at) === 96 || text.charCodeAt(at) === 32 ? fenceOf(text.slice(at, end)) : "";
    if (marks !== "" && fence === "") {
      cut(at, false);
      fence = marks;
    } else if (marks.length >= fence.length && fence !== "" && text.slice(at, end).trim() === marks) {
      cut(end, true);
      fence = "";
    }
    at = end;
  }
  cut(text.length, fence !== "");
  return { stretches, open: fence };
}

function fenceOf(line: string): string {
  return FENCE.exec(line.trimEnd())?.[1] ?? "";
}
