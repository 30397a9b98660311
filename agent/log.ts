import { LogLimit } from "@valinor/protocol";

/** What a log line may hold beside its event: never the text of a message, a token or an internal address. */
export type LogFields = { readonly [name: string]: string | number | boolean | undefined };

/** Where the agent tells what it does. */
export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Lines of one event that are written in a minute; how many more there were is said at its end. */
const LINES_A_MINUTE = 100;

/** A log of JSON lines, by default on standard error. What repeats too often is left out, and counted: the guest's disk is small. */
export function createLog(write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const line = (level: string, event: string, fields?: LogFields) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`);
  const limit = new LogLimit({
    first: LINES_A_MINUTE,
    leftOut: (event, count) => line("warn", "log_left_out", { left_out: event, count }),
  });
  const writer = (level: string) => (event: string, fields?: LogFields) =>
    limit.say(event, () => line(level, event, fields));
  return { info: writer("info"), warn: writer("warn"), error: writer("error") };
}

/** Code or name of whatever was thrown: for errors whose text may quote a message or an address. */
export function errorName(reason: unknown): string {
  if (!(reason instanceof Error)) return typeof reason;
  const { code } = reason as NodeJS.ErrnoException;
  return typeof code === "string" ? code : reason.name;
}

/** Where in the program an error was thrown: the first line of its stack, which quotes nobody. */
export function errorPlace(reason: unknown): string | undefined {
  if (!(reason instanceof Error)) return undefined;
  return /\n\s+at (.*)/.exec(reason.stack ?? "")?.[1];
}
