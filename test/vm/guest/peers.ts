import { ok } from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "../../../protocol/transport/address.ts";
import { dial } from "../../../protocol/transport/dial.ts";
import { listen, type Listener } from "../../../protocol/transport/listen.ts";
import { VSOCK_PORT_ANY } from "../../../protocol/transport/vsock.ts";

/** CID of the machine itself. */
export const LOOPBACK = 1;
/** A wait that none of the cases should need. */
export const soon = () => AbortSignal.timeout(30_000);

/** Listens on a free port for peers of the loopback. */
export function serve(accept: (socket: Duplex) => void): Promise<Listener> {
  const address = { kind: "vsock", cid: 0xffffffff, port: VSOCK_PORT_ANY } as const;
  return listen(address, accept, { vsockPeers: [LOOPBACK] });
}

/** Dials a listener of serve. */
export function reach({ address }: Listener): Promise<Duplex> {
  return dial({ ...(address as Address & { kind: "vsock" }), cid: LOOPBACK }, soon());
}

/** File descriptors of the process. */
export const sockets = () => readdirSync("/proc/self/fd").length;

/** Waits until the process has no more file descriptors than before; closing is not done at once. */
export async function noneLeft(before: number): Promise<void> {
  for (let i = 0; i < 200 && sockets() > before; i++) await sleep(50);
  ok(sockets() <= before, `${sockets() - before} file descriptors are left`);
}

/** The peer's machine is there, and nothing listens on the port. */
export function isRefusal(error: Error): boolean {
  return (error.cause as NodeJS.ErrnoException).code === "ECONNREFUSED";
}

/** Writes until told to wait; resolves with the bytes that were taken till then. */
export function fill(socket: Duplex): number {
  const piece = Buffer.alloc(16 * 1024, "x");
  let taken = 0;
  while (taken < 256 * 1024 * 1024) {
    taken += piece.length;
    if (!socket.write(piece)) return taken;
  }
  throw new Error("256 MiB were taken for a peer that reads nothing");
}

/** Whether a writer may go on within that time. */
export async function drainsWithin(socket: Duplex, ms: number): Promise<boolean> {
  const signal = AbortSignal.timeout(ms);
  return once(socket, "drain", { signal }).then(
    () => true,
    () => false,
  );
}

/** Writes a little more, whatever the answer. */
export function fillMore(socket: Duplex): void {
  if (socket.writableLength < 8 * 1024 * 1024) socket.write(Buffer.alloc(16 * 1024, "x"));
}
