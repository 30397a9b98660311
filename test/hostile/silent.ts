import { connect } from "node:net";
import { once } from "node:events";
import type { AttackContext } from "./attack.ts";

/** No attack: peers that are connected and ask nothing after a first request. */
export async function silent({ port, peers, signal, report }: AttackContext): Promise<void> {
  const sockets = await Promise.all(
    Array.from({ length: peers }, async () => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {}).resume();
      await once(socket, "connect");
      socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
      return socket;
    }),
  );
  report.begun();
  if (!signal.aborted) await once(signal, "abort");
  for (const socket of sockets) socket.destroy();
}
