import type { Server as NetServer } from "node:net";
import { monotonicNow } from "@valinor/protocol";

/**
 * A failing accept (EMFILE) ends neither the process nor the listener: libuv closes what it cannot hold, and the next connection
 * is accepted again. It is said once in ten seconds at most.
 */
export function surviveAcceptErrors(
  server: NetServer,
  logger: { warn(fields: object, text: string): void } | undefined,
): void {
  let quietUntil = 0;
  const say = (fields: object, text: string) => {
    const now = monotonicNow();
    if (now < quietUntil) return;
    quietUntil = now + 10_000;
    logger?.warn(fields, text);
  };
  server.on("error", (error) => {
    if (server.listening) say({ err: error }, "a connection could not be accepted");
  });
  server.on("drop", () => say({ max: server.maxConnections }, "too many connections: one was closed"));
}
