import type { AgentOptions } from "../settings/options.ts";
import { isLoopback } from "@valinor/protocol";

/**
 * Refuses an agent that would let in whoever finds it: throws Error that says what is missing. Only vsock needs no token:
 * there the listener lets in the host of the machine alone.
 */
export function checkAccess({ address, token, insecure }: AgentOptions): void {
  if (token === "") throw new Error("the token is empty");
  if (token !== undefined || address.kind === "vsock") return;
  if (!insecure) {
    throw new Error(
      `an agent on ${address.kind} needs --token-file, or --insecure where only this machine reaches it`,
    );
  }
  if (address.kind === "tcp" && !isLoopback(address.host)) {
    throw new Error(`--insecure is for loopback alone: give ${address.host} a --token-file`);
  }
}
