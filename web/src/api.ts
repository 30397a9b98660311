import { createValinorClient, type ValinorClient } from "@valinor/client";
import { credential, credentialWanted } from "./credential.ts";

/** Milliseconds that a call may take. The server's own bounds are tighter; this one is for a server that hangs. */
const CALL_MS = 30_000;

/** The client of the control plane that this page came from. */
export const client: ValinorClient = createValinorClient({
  baseUrl: location.origin,
  apiKey: () => credential.value,
  callTimeoutMs: CALL_MS,
  onRefused(refused) {
    // An older credential's refusal says nothing of the one that was entered since.
    if (refused === credential.value) credentialWanted.value = true;
  },
});
