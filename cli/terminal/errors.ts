import type { StoreError } from "@valinor/server";

/**
 * Exit codes, as docs/cli.md has them: 1 failure, 2 bad usage or configuration, 3 stored but not applied, 4 not found, 5 credentials or
 * permission, 6 not reachable, 130 and 143 ended by SIGINT and SIGTERM.
 */
export type ExitCode = 1 | 2 | 3 | 4 | 5 | 6 | 130 | 143;

/** A failure that is told to the person at the terminal as it stands, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  /** Default: 1. */
  readonly exitCode: ExitCode;

  constructor(message: string, options: { cause?: unknown; exitCode?: ExitCode } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Says what to look at if the store failed. */
export function explainStoreError(error: StoreError): CliError {
  const advice =
    "store.url names it. A file needs a folder that this user may write to; a database must run and be reachable.";
  return new CliError(error.code === "unavailable" ? `${error.message}\n  ${advice}` : error.message, {
    cause: error,
  });
}

/**
 * Says what to do about an address that could not be listened on, or a store that could not be opened; other errors come back as they
 * are.
 */
export function explainStartError(error: unknown, what: string, port: number): unknown {
  // First, as its cause may have a code that a port has too.
  if (isStoreError(error)) return explainStoreError(error);
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new CliError(
        `port ${port} is taken, so the ${what} cannot listen there. ` +
          `Stop the program that holds it, or choose another one with --port N (0 takes any free one).`,
        { cause: error },
      );
    case "EACCES":
      return new CliError(
        `port ${port} is not open to this user; choose one above 1023 with --port N for the ${what}.`,
        { cause: error },
      );
    case "EADDRNOTAVAIL":
      return new CliError(`this machine does not have the address that the ${what} is to listen on.`, {
        cause: error,
      });
    default:
      return error;
  }
}

/** The system's code of an error, or of the error that caused it. */
function codeOf(error: unknown): unknown {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++)
    if ("code" in at && typeof at.code === "string" && at.code.startsWith("E")) return at.code;
  return undefined;
}

/** Whether an error is the store's. It goes by the name: to load the control plane for its class takes each command half a second. */
export function isStoreError(error: unknown): error is StoreError {
  const name: StoreError["name"] = "StoreError";
  return error instanceof Error && error.name === name;
}
