import type { Server, ServerResponse } from "node:http";
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
 * begun is waited for unprobed. `responsesOf`: the responses of a connection that are in flight.
 */
export function allowHalfClose(http1: Server, responsesOf: ResponsesOf): HalfClose {
  // Not in Node's documentation, but what its parser's side asks on every FIN: whether the answers in flight may still leave.
  (http1 as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  const ended = new WeakMap<Socket, Watched>();
  return {
    onFin(socket) {
      const watched = ended.get(socket) ?? { isWatching: false };
      ended.set(socket, watched);
      watch(socket, watched, responsesOf);
    },
    onRequest(socket) {
      const watched = ended.get(socket);
      if (watched !== undefined) watch(socket, watched, responsesOf);
    },
  };
}

/** What is to be told for clients that half-close. */
export interface HalfClose {
  /** A client's FIN is there. */
  onFin(socket: Socket): void;
  /** A request is in flight: what was sent before the FIN may begin after it. */
  onRequest(socket: Socket): void;
}

export type ResponsesOf = (socket: Socket) => Iterable<ServerResponse>;

interface Watched {
  isWatching: boolean;
}

/** Probes the answers that are in flight, until none is. */
function watch(socket: Socket, watched: Watched, responsesOf: ResponsesOf): void {
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
    for (const res of responsesOf(socket)) probe(res, age);
    // A probe may have ended some of them.
    const [next] = responsesOf(socket);
    if (next === undefined || socket.destroyed) return stop();
    const due = PROBES[++round];
    timer = setTimeout(look, due === undefined ? PROBE_EVERY : Math.max(1, due - age));
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
