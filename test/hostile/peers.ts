import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { AttackContext } from "./attack.ts";

/** Pause before a peer that was closed, or refused, comes back, milliseconds. */
const PAUSE_MS = 20;

/**
 * Runs so many peers until the attack is over. Each opens a connection, attacks on it until the server closes it, tells how long that took, and
 * comes back.
 */
export async function runPeers(
  context: AttackContext,
  open: () => Promise<Socket>,
  attack: (socket: Socket, isOver: () => boolean, peer: number) => Promise<void>,
): Promise<void> {
  const { peers, signal, report } = context;
  const run = async (peer: number) => {
    while (!signal.aborted) {
      const socket = await open().catch(() => undefined);
      if (socket === undefined) {
        report.count("not let in");
        await sleep(PAUSE_MS);
        continue;
      }
      const began = performance.now();
      const isOver = () => signal.aborted || socket.closed || !socket.writable;
      await attack(socket, isOver, peer);
      const isClosed = socket.closed || !socket.writable;
      if (isClosed && !signal.aborted) report.closed(performance.now() - began);
      socket.destroy();
      await sleep(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: peers }, (_, peer) => run(peer)));
}

/** Writes blocks as fast as the server takes them, until it closes the connection or the attack is over. */
export async function writeForever(
  socket: Socket,
  { signal }: AttackContext,
  next: () => Buffer | string,
): Promise<void> {
  const over = Promise.race([once(socket, "close"), once(signal, "abort")]).catch(() => {});
  while (!signal.aborted && !socket.closed && socket.writable) {
    if (!socket.write(next())) await Promise.race([once(socket, "drain").catch(() => {}), over]);
    else await new Promise(setImmediate);
  }
}

/** Waits until the server closes the connection or the attack is over. */
export async function untilClosed(socket: Socket, { signal }: AttackContext): Promise<void> {
  if (socket.closed || signal.aborted) return;
  await Promise.race([once(socket, "close"), once(signal, "abort")]).catch(() => {});
}
