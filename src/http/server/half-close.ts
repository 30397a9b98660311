import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { probeOf } from "../../core/edge.ts";
import { monotonicNow } from "@valinor/protocol";
import { dropClient } from "./client.ts";

/**
 * When a half-closed connection is probed, in milliseconds after it, and how often from then on. The first probe makes the system of a client
 * that left answer that it has; the next one meets that answer.
 */
const PROBES = [0, 50, 1_050, 1_100] as const;
const PROBE_EVERY = 5_000;

/** An answer that has not begun is left this long before it is probed: most come sooner, and some clients do not know interim answers. */
const PATIENCE = 1_000;

/**
 * Lets clients of HTTP/1 half-close their connection after a request and still get its answer. Whoever closes a connection wholly sends the
 * same FIN; what tells the two apart is the next thing that is written: the system of a client that has left answers it with a reset. So
 * something harmless is written: an interim answer (102) to HTTP/1.1 while the answer has not begun, a keepalive into a stream that has
 * one. A stream that has none ends with the FIN, since it could not be found out that its client has left. An answer to HTTP/1.0 that has not
 * begun is waited for unprobed. Answers what is to be told when a client's FIN is there.
 */
export function allowHalfClose(http1: Server): (socket: Socket) => void {
  // Not in Node's documentation, but what its parser's side asks on every FIN: whether the answers in flight may still leave.
  (http1 as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  const connections = new WeakMap<Socket, Watched>();
  const watchedOf = (socket: Socket): Watched => {
    const watched = connections.get(socket) ?? { responses: new Set(), hasEnded: false, isWatching: false };
    connections.set(socket, watched);
    return watched;
  };
  http1.on("request", ({ socket }: IncomingMessage, res: ServerResponse) => {
    const watched = watchedOf(socket);
    const { responses } = watched;
    responses.add(res);
    res.once("close", () => responses.delete(res));
    // What was sent before the FIN may begin after it.
    if (watched.hasEnded) watch(socket, watched);
  });
  return (socket) => {
    const watched = watchedOf(socket);
    watched.hasEnded = true;
    watch(socket, watched);
  };
}

/** The answers of a connection that are in flight. */
interface Watched {
  readonly responses: Set<ServerResponse>;
  hasEnded: boolean;
  isWatching: boolean;
}

/** Probes the answers that are in flight, until none is. */
function watch(socket: Socket, watched: Watched): void {
  if (watched.isWatching) return;
  watched.isWatching = true;
  const began = monotonicNow();
  let round = 0;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearTimeout(timer);
    socket.off("close", stop);
    watched.isWatching = false;
  };
  const look = () => {
    const age = monotonicNow() - began;
    for (const res of watched.responses) probe(res, age);
    if (watched.responses.size === 0 || socket.destroyed) return stop();
    const next = PROBES[++round];
    timer = setTimeout(look, next === undefined ? PROBE_EVERY : Math.max(1, next - age));
    timer.unref();
  };
  socket.once("close", stop);
  look();
}

function probe(res: ServerResponse, age: number): void {
  // Of pipelined answers only the first one has the socket.
  if (res.writableEnded || res.socket === null) return;
  if (!res.headersSent) {
    if (age >= PATIENCE && res.req.httpVersion === "1.1") res.writeProcessing();
    return;
  }
  const write = probeOf(res);
  if (write === undefined) return dropClient(res);
  // Bytes that wait for the client probe it as well; and a piece of an event may be among them.
  if (!res.writableNeedDrain) write();
}
