import type { ValinorError } from "@valinor/client";
import { CliError } from "../../terminal/errors.ts";
import { adviceFor } from "./advice.ts";
import { connectFault, explainFault } from "./connect-errors.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { neutralise } from "../output.ts";

/** An error of a call, for the person at the terminal: what happened, its reason, and what to do. */
export function explainError(error: ValinorError, server: URL): CliError {
  const { what, hint } = wordsOf(error, server);
  const text = hint === undefined ? what : `${what}\n  ${hint}`;
  // Servers may quote what agents said.
  return new CliError(neutralise(text), { cause: error, exitCode: exitCodeOf(error) });
}

function wordsOf(error: ValinorError, server: URL): { what: string; hint: string | undefined } {
  const found = error.reason === "CONNECTION_LOST" ? connectFault(error) : undefined;
  if (found === undefined)
    return { what: `${error.message} (${error.reason})`, hint: adviceFor(error.reason) };
  const { what, hint } = explainFault(found.fault, found.code, server);
  return { what: `the server ${server.origin} is not reachable: ${what} (${error.reason})`, hint };
}
