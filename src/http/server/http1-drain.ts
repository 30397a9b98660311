import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ConnectionResponses } from "./parser-errors.ts";

/** Knows which HTTP/1 connections wait for their next request, so that closing cuts none in the middle of a response. */
export class Http1Drain {
  readonly #inFlight = new Map<Socket, Set<ServerResponse>>();
  readonly #latest = new WeakMap<Socket, ServerResponse>();
  #draining = false;

  /** Takes over a connection until it closes. */
  add(socket: Socket): void {
    this.#inFlight.set(socket, new Set());
    socket.once("close", () => this.#inFlight.delete(socket));
  }

  /** Counts a response. */
  track(socket: Socket, res: ServerResponse): void {
    this.#inFlight.get(socket)?.add(res);
    this.#latest.set(socket, res);
    if (this.#draining) res.shouldKeepAlive = false;
  }

  /** It has closed. */
  leave(socket: Socket, res: ServerResponse): void {
    this.#inFlight.get(socket)?.delete(res);
    this.#settle(socket);
  }

  /** The responses of a connection. */
  responsesOf(socket: Socket): ConnectionResponses {
    return { inFlight: this.#inFlight.get(socket) ?? [], latest: this.#latest.get(socket) };
  }

  /** Each connection that has had an answer closes; one that waits for its next request may make it. */
  begin(): void {
    this.#draining = true;
    for (const responses of this.#inFlight.values())
      for (const res of responses) if (!res.headersSent) res.shouldKeepAlive = false;
  }

  /** Those that wait close as well. */
  end(): void {
    this.begin();
    for (const socket of this.#inFlight.keys()) this.#settle(socket);
  }

  #settle(socket: Socket): void {
    if (this.#draining && this.#inFlight.get(socket)?.size === 0) socket.destroySoon();
  }
}
