import type { Duplex } from "node:stream";
import { lateHello } from "@valinor/protocol";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { type ConnectionOwner, LinkConnection } from "./link-connection.ts";

/**
 * Shakes hands on a connected socket and resolves with the connection. Rejects with LinkError, the socket closed, if the
 * guest breaks the protocol, refuses, or has not finished when the signal aborts. `owner` hears of the connection's end after that.
 */
export async function openConnection(
  socket: Duplex,
  options: ConnectionOptions,
  signal: AbortSignal,
  owner?: ConnectionOwner,
): Promise<LinkConnection & Connection> {
  const opening = Promise.withResolvers<LinkConnection>();
  const connection = new LinkConnection(socket, options, opening, owner);
  const onAbort = () => connection.abandon(lateHello());
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await opening.promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
