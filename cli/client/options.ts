import { type Command, InvalidArgumentError, Option } from "commander";

/** Adds the flags that say which server is called. */
export function server(command: Command): Command {
  return command
    .option("--server <url>", "the server (default: $VALINOR_SERVER, or http://127.0.0.1:8080)")
    .option("--tenant <tenant>", "tenant to work on, for credentials with platform:admin")
    .option("--ca-file <file>", "certificates of the CAs to trust, in PEM");
}

/** The flag that says how to print. */
export function output(): Option {
  return new Option("-o, --output <form>", "how to print").choices(["table", "json"]).default("table");
}

/** Adds the flags of commands that wait until an agent has applied a change. */
export function waiting(command: Command): Command {
  return command
    .option("--no-wait", "do not wait until the agent has applied it")
    .addOption(new Option("--timeout <seconds>", "longest wait").default(30).argParser(seconds));
}

/** Reads a whole number of at least `least`. Throws InvalidArgumentError. */
export function whole(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d{1,10}$/.test(value) && number >= least && number < 2 ** 32) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
  };
}

/** Reads a number of seconds, at most a day. Throws InvalidArgumentError. */
export function seconds(value: string): number {
  const number = Number(value);
  if (/^\d{1,5}(\.\d{1,3})?$/.test(value) && number <= 86_400) return number;
  throw new InvalidArgumentError("It must be a number of seconds, at most 86400.");
}
