import { Code, ConnectError } from "@connectrpc/connect";
import { ValinorError } from "../../core/errors.ts";
import { buildConnectError } from "./errors.ts";

/** The error for a request message that can't be taken: invalid_argument. */
export function refuseMessage(text: string): ConnectError {
  return buildConnectError(new ValinorError("INVALID_ARGUMENT", text));
}

/** The error for a request message that is over its bound: resource_exhausted without details, as every Connect and gRPC library has it. */
export function tooLarge(
  most: number,
  text = `a message of this call holds at most ${most} bytes`,
): ConnectError {
  return new ConnectError(text, Code.ResourceExhausted);
}
