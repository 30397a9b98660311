import { isLoopback } from "@valinor/protocol";
import type { AgentOptions } from "./options.ts";

/**
 * Throws Error, which says what is missing, if the agent would let in whoever finds it. Only vsock needs no token: its listener lets in
 * the host of the machine alone.
 */
export function checkAccess({ address, token, insecure }: AgentOptions): void {
  if (token === "") throw new Error("the token is empty");
  if (token !== undefined || address.kind === "vsock") return;
  if (!insecure) {
    throw new Error(
      `an agent on ${address.kind} needs --token-file, or --insecure if only this machine reaches it`,
    );
  }
  if (address.kind === "tcp" && !isLoopback(address.host)) {
    throw new Error(`--insecure is for loopback only: an agent on ${address.host} needs --token-file`);
  }
}
