import type { Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";

/**
 * How the commands reach a server: over Node's own HTTP, because `fetch` cannot trust a CA for only one server, and says less about why a
 * connection could not be made. It is the one place of the commands that knows of Connect.
 */
export function createTransport(url: URL, ca: string | undefined): Transport {
  return createConnectTransport({
    baseUrl: url.href,
    // Every server and proxy speaks it, with TLS or without, and a command makes few calls.
    httpVersion: "1.1",
    ...(url.protocol === "https:" && ca !== undefined ? { nodeOptions: { ca } } : {}),
  });
}
