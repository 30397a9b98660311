const LEVELS: Record<number, string> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};
/** Fields of a log line that are not repeated behind its text. */
const SHOWN = new Set(["level", "time", "msg", "pid", "hostname", "name"]);
/** Longest line shown; what is longer is cut. */
const MAX_LINE = 400;

/**
 * Turns a JSON line of pino into text for a terminal: `12:30:01 info  valinor: listening url=...`. What is not a JSON object
 * stays as it is. Control characters never reach the terminal.
 */
export function humanLine(json: string): string {
  const fields = parse(json);
  const level = Number(fields["level"]);
  const source = typeof fields["name"] === "string" ? fields["name"] : "valinor";
  const said = typeof fields["msg"] === "string" ? fields["msg"] : "";
  const rest = Object.entries(fields).filter(([name]) => !SHOWN.has(name));
  const text = [`${source}:`, said, ...rest.map(([name, value]) => `${name}=${valueOf(value)}`)].join(" ");
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  const plain = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trimEnd();
  const cut = plain.length > MAX_LINE ? `${plain.slice(0, MAX_LINE)}...` : plain;
  return `${new Date().toTimeString().slice(0, 8)} ${(LEVELS[level] ?? "info").padEnd(5)} ${cut}\n`;
}

/** The fields of a JSON object; those of `{msg: line}` if it is not one. */
export function parse(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // A crash writes plain text: it is shown all the same.
  }
  return { msg: line };
}

function valueOf(value: unknown): string {
  if (typeof value === "string") return value;
  // An error's stack helps whoever reads the JSON; at the terminal its message does.
  if (typeof value === "object" && value !== null && "message" in value) return JSON.stringify(value.message);
  return JSON.stringify(value) ?? "";
}
