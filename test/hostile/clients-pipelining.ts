import { once } from "node:events";
import { connect } from "node:net";
import { makeApiKey } from "../../src/auth/api-key.ts";
import type { AttackContext } from "./attack.ts";
import { runPeers, writeForever } from "./peers.ts";

/** Bytes of one block of requests. */
const BLOCK = 64 * 1024;

/** Pipelines blocks of requests on each connection as fast as the server takes them, and reads the answers. */
export function madeUpKeys(context: AttackContext): Promise<void> {
  const request = () =>
    `GET /agents HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${makeApiKey().text}\r\n\r\n`;
  return pipeline(context, request, true);
}

/** The same without a credential. */
export function noCredential(context: AttackContext): Promise<void> {
  return pipeline(context, () => `GET /agents HTTP/1.1\r\nhost: localhost\r\n\r\n`, true);
}

/** The same, and no answer is read. */
export function unread(context: AttackContext): Promise<void> {
  return pipeline(context, () => `GET /agents HTTP/1.1\r\nhost: localhost\r\n\r\n`, false);
}

/** With a good key of another tenant. */
export function knownKey(context: AttackContext): Promise<void> {
  const authorization = `authorization: Bearer ${context.keys["viewer"]}`;
  return pipeline(context, () => `GET /agents HTTP/1.1\r\nhost: localhost\r\n${authorization}\r\n\r\n`, true);
}

/** Of the health route, which needs no credential. */
export function health(context: AttackContext): Promise<void> {
  return pipeline(context, () => `GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n`, true);
}

async function pipeline(context: AttackContext, request: () => string, isRead: boolean): Promise<void> {
  const { port, report } = context;
  const blocks = Array.from({ length: 8 }, () => blockOf(request));
  const open = async () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    if (isRead) socket.on("data", (part: Buffer) => report.count("bytes read", part.length));
    await once(socket, "connect");
    return socket;
  };
  await runPeers(context, open, (socket, _isOver, peer) =>
    writeForever(socket, context, () => blocks[peer % blocks.length] ?? ""),
  );
}

function blockOf(request: () => string): string {
  let block = "";
  while (block.length < BLOCK) block += request();
  return block;
}
