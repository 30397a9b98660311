import { once } from "node:events";
import { connect } from "node:net";
import type { AttackContext } from "./attack.ts";
import { flags, frame, openHttp2, requestHeaders, settingsFrame } from "./frames.ts";
import { runPeers, untilClosed, writeForever } from "./peers.ts";

async function open(port: number) {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  await once(socket, "connect");
  return socket;
}

/** Writes a byte every 100 ms until the server closes the connection. */
async function drip(context: AttackContext, head: string): Promise<void> {
  await runPeers(
    context,
    () => open(context.port),
    async (socket, isOver) => {
      socket.write(head);
      const timer = setInterval(() => isOver() || socket.write("x"), 100);
      await untilClosed(socket, context);
      clearInterval(timer);
    },
  );
}

/** Headers that never end. */
export const slowHeaders = (context: AttackContext) =>
  drip(context, "GET /agents HTTP/1.1\r\nhost: localhost\r\nx-slow: ");

/** Bodies that never end, of a caller who is known. */
export const slowBodies = (context: AttackContext) =>
  drip(
    context,
    `POST /agents/a1/message HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${context.keys["operator"]}\r\ncontent-length: 1000000\r\n\r\n`,
  );

/** Connections that say nothing at all. */
export const mute = (context: AttackContext) =>
  runPeers(
    context,
    () => open(context.port),
    (socket) => untilClosed(socket, context),
  );

/** Bodies without an end to whoever refuses them: chunks as fast as they are taken. */
export const endlessBodies = (context: AttackContext) =>
  runPeers(
    context,
    () => open(context.port),
    async (socket) => {
      socket.write(
        "POST /agents/a1/message HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n",
      );
      await writeForever(socket, context, () => `8000\r\n${"x".repeat(0x8000)}\r\n`);
    },
  );

/** Connections that are opened and closed again. */
export const storms = (context: AttackContext) =>
  runPeers(
    context,
    () => open(context.port),
    async (socket) => {
      socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await Promise.race([once(socket, "data").catch(() => {}), untilClosed(socket, context)]);
    },
  );

/** Ninety watches of health on each connection. */
export const watches = (context: AttackContext) =>
  runPeers(
    context,
    () => openHttp2(context.port),
    async (socket) => {
      const block = requestHeaders("/grpc.health.v1.Health/Watch", [["content-type", "application/grpc"]]);
      for (let i = 0; i < 90; i++) {
        const stream = 2 * i + 1;
        socket.write(frame("headers", { stream, flag: flags.endHeaders, payload: block }));
        socket.write(frame("data", { stream, flag: flags.endStream, payload: Buffer.alloc(5) }));
      }
      await untilClosed(socket, context);
    },
  );

/** A hundred streams a connection of one credential, all of a run that is complete, of which nothing is read. */
export const stalledStreams = async (context: AttackContext) => {
  const authorization = `Bearer ${context.keys["operator"]}`;
  await fetch(`http://127.0.0.1:${context.port}/agents/big/stream`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ content: "!bytes 3000000", request_id: "big" }),
  }).then((answer) => answer.text());
  context.report.begun();
  await runPeers(
    context,
    () => openHttp2(context.port, settingsFrame(4, 0)),
    async (socket) => {
      const block = requestHeaders("/agents/big/stream?request_id=big", [["authorization", authorization]]);
      for (let i = 0; i < 100; i++)
        socket.write(
          frame("headers", { stream: 2 * i + 1, flag: flags.endStream | flags.endHeaders, payload: block }),
        );
      await untilClosed(socket, context);
    },
  );
};
