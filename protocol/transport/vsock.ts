import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getSystemErrorName } from "node:util";
import { abortError } from "./abort.ts";
import { type VsockCalls, vsockCalls, type VsockPeer } from "./vsock-calls.ts";
import { adopt, socketOn, type StreamHandle } from "./vsock-handle.ts";

// docs/guest.md section "How vsock sockets are made" says why this way.

/** CID of the host, as a guest sees it. */
export const VSOCK_HOST = 2;
/** CID of a listener that takes connections to any CID of its machine. */
export const VSOCK_ANY = 0xffffffff;
/** Port that the kernel replaces with a free one. */
export const VSOCK_PORT_ANY = 0xffffffff;

const BACKLOG = 128;
/** Pause between looks at a connect under way; it doubles from the first to the second, milliseconds. */
const CONNECT_POLL_MS = { first: 1, last: 16 };

/** A vsock listener. */
export interface VsockListener {
  /** Where it listens; the port is the real one. */
  readonly address: VsockPeer;
  /** Stops to listen. Connections that were accepted stay. */
  close(): void;
}

/** Whom a vsock listener lets in. */
export interface VsockListenOptions {
  /** CIDs of peers; connections of others are closed at once, before a byte is said. */
  readonly peers: readonly number[];
  /** Connections that may be open at once; more are closed at once. */
  readonly maxConnections: number;
}

/**
 * Connects to a vsock address. Rejects with Error: `code` ECONNREFUSED if the machine is there and nothing listens on the
 * port, another code (ENODEV, EHOSTUNREACH, ETIMEDOUT) if the machine is not reached, EAFNOSUPPORT if this machine
 * has no vsock, and the signal's reason when it aborts. No socket is left behind then.
 */
export async function dialVsock(address: VsockPeer, signal: AbortSignal): Promise<Socket> {
  if (signal.aborted) throw abortError(signal);
  const calls = vsockCalls();
  const fd = open(calls);
  try {
    calls.connect(fd, address);
    for (let pause = CONNECT_POLL_MS.first; !calls.connected(fd);) {
      await sleep(pause, undefined, { signal });
      pause = Math.min(2 * pause, CONNECT_POLL_MS.last);
    }
    return socketOn(adopt(fd, "SOCKET"));
  } catch (error) {
    calls.close(fd);
    throw explainConnect(error, signal);
  }
}

/**
 * Listens on a vsock address; `accept` gets each connection of an allowed peer. Throws Error that says what to do if the
 * port needs a capability or the machine has no vsock. Accepting is libuv's, like all that follows.
 */
export function listenVsock(
  address: VsockPeer,
  accept: (socket: Socket) => void,
  options: VsockListenOptions,
): VsockListener {
  const calls = vsockCalls();
  const handle = bound(calls, address);
  let open = 0;
  handle.onconnection = (_status, client) => {
    // A failing accept (EMFILE) concerns nobody: the next connection gets its turn.
    if (client === undefined) return;
    if (open >= options.maxConnections || !isAllowed(calls, client, options.peers)) return client.close();
    open++;
    const socket = socketOn(client);
    socket.once("close", () => open--);
    accept(socket);
  };
  const status = handle.listen(BACKLOG);
  if (status !== 0) {
    handle.close();
    throw new Error(`listen ${getSystemErrorName(status)}`);
  }
  return { address: calls.local(handle.fd) ?? address, close: () => handle.close() };
}

function open(calls: VsockCalls): number {
  try {
    return calls.socket();
  } catch (error) {
    throw explain(
      error,
      "EAFNOSUPPORT",
      "this machine has no vsock: in a guest load the kernel modules vsock and vmw_vsock_virtio_transport",
    );
  }
}

function bound(calls: VsockCalls, address: VsockPeer): StreamHandle {
  const fd = open(calls);
  try {
    calls.bind(fd, address);
    return adopt(fd, "SERVER");
  } catch (error) {
    calls.close(fd);
    const needs = "ports below 1024 need the capability CAP_NET_BIND_SERVICE";
    const taken = "another program listens on this port";
    throw explain(explain(error, "EACCES", needs), "EADDRINUSE", taken);
  }
}

/** Only the kernel knows who is at the other end: the peer itself is not asked. */
function isAllowed(calls: VsockCalls, client: StreamHandle, peers: readonly number[]): boolean {
  const peer = calls.peer(client.fd);
  return peer !== undefined && peers.includes(peer.cid);
}

/** vsock tells a refusal by a reset: nothing else resets a connection before it stands. */
function explainConnect(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return abortError(signal);
  const refused = "connection refused: nothing listens on that port there";
  const explained = explain(error, "ECONNRESET", refused);
  return explained === error ? error : Object.assign(explained as Error, { code: "ECONNREFUSED" });
}

/** The same error with a sentence for people, if it has that code. */
function explain(error: unknown, code: string, sentence: string): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== code) return error;
  return Object.assign(new Error(`${sentence} (${code})`, { cause: error }), { code });
}
