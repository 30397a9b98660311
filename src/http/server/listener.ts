import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { bindEverywhere, type Bound } from "./bind.ts";
import { createFlight } from "./flight.ts";
import { allowHalfClose, type HalfClose } from "./half-close.ts";
import { createSessionServer, divertStreams, type SessionServer } from "./http2-server.ts";
import { defaultHttpLimits, type HttpLimits } from "./http-limits.ts";
import { endEarlyAnswer } from "./early-answer.ts";
import { Http1Drain } from "./http1-drain.ts";
import { surviveAcceptErrors } from "./accept-errors.ts";
import { answerParserErrors } from "./parser-errors.ts";
import { Pipeline } from "./pipeline.ts";
import { sniffPreface, type Spoken } from "./preface.ts";
import { createSpread } from "./spread.ts";
import { createStallWatch, type StallWatch } from "./stall-watch.ts";
import { createTlsEntry, type TlsEntry, type TlsFiles } from "./tls.ts";
import { createTurns, type Turns } from "./turns.ts";

/** Where the HTTP side writes what an operator should know; pino has this shape. */
export interface HttpLogger {
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/**
 * Answers a request. Requests of HTTP/2 come in the shape of HTTP/1's too (Node's compatibility API). It must not throw;
 * one that does is answered 500 if that is still possible.
 */
export interface HttpHandler {
  (req: IncomingMessage, res: ServerResponse): void;
  /** Answers some streams of HTTP/2 as they are; all others come as requests. Default: none. */
  readonly onStream?: StreamHandler;
}

/** What begins to answer a stream, when it is its turn; undefined, and nothing was done, if it is to come as a request. */
export type StreamHandler = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: string[],
) => (() => void) | undefined;

/** What a listener is made of. */
export interface ListenerOptions {
  readonly handler: HttpHandler;
  readonly logger?: HttpLogger;
  /** Bounds that differ from defaultHttpLimits. */
  readonly limits?: Partial<HttpLimits>;
  /** With it the port speaks TLS alone. */
  readonly tls?: TlsFiles | undefined;
}

/** One port for HTTP/1.1 and HTTP/2: in the clear with prior knowledge, over TLS by ALPN. */
export interface HttpListener {
  /**
   * Begins to listen at every address of the host; resolves with them, the first one as `host` too, and with the real port if 0 was asked for.
   * Rejects if the port is taken, or if this machine has none of the addresses.
   */
  listen(
    host: string,
    port: number,
  ): Promise<{ readonly host: string; readonly port: number; readonly hosts: readonly string[] }>;
  /**
   * Answers of HTTP/1 say `connection: close` from now on: whoever keeps connections for later calls, such as a balancer, has none left
   * when they are closed.
   */
  fade(): void;
  /** Fades, and sends GOAWAY. Connections are still accepted, so that whoever asks is told. */
  drain(): void;
  /**
   * Resolves when no request has been in flight for `quietMs` (0: as soon as none is), after `ms`, or when the signal aborts; with whether
   * none is in flight.
   */
  idle(ms: number, quietMs: number, signal?: AbortSignal): Promise<boolean>;
  /**
   * Stops to accept, drains, lets responses in flight end for `drainMs`, then destroys what is left. Resolves when no connection is
   * open.
   */
  close(drainMs: number): Promise<void>;
  /** Uses another certificate for new connections; those that are open go on. Throws Error if the port speaks cleartext, or the certificate can't be used. */
  useCertificate(files: TlsFiles): void;
}

/** Makes the listener; nothing is bound before `listen`. */
export function createListener(options: ListenerOptions): HttpListener {
  return new Listener(options);
}

class Listener implements HttpListener {
  readonly #logger: HttpLogger | undefined;
  readonly #http1: Server;
  readonly #http2: SessionServer;
  readonly #tls: TlsEntry | undefined;
  readonly #drain = new Http1Drain();
  readonly #halfClose: HalfClose;
  readonly #flight = createFlight();
  readonly #stalls: StallWatch;
  readonly #pipeline: Pipeline;
  /** Every open socket with what it speaks; undefined while it has not said. */
  readonly #sockets: Map<Socket, Spoken | undefined>;
  #bound: Bound | undefined;

  constructor(options: ListenerOptions) {
    const limits: HttpLimits = { ...defaultHttpLimits, ...options.limits };
    const handler = guarded(options.handler, options.logger);
    const turns = createTurns({ steps: limits.turnRequests, ms: limits.turnMs });
    this.#logger = options.logger;
    this.#http1 = createHttp1(limits);
    this.#http2 = createSessionServer(limits);
    this.#tls = options.tls && createTlsEntry(options.tls, limits.prefaceMs);
    this.#stalls = createStallWatch(limits.writeStallMs);
    this.#halfClose = allowHalfClose(this.#http1, (socket) => this.#drain.responsesOf(socket).inFlight);
    this.#pipeline = new Pipeline(limits, turns, (socket) => this.#halfClose.onFin(socket));
    answerParserErrors(this.#http1, limits, turns, (socket) => this.#drain.responsesOf(socket));
    this.#serveHttp1(handler, limits, turns);
    this.#serveHttp2(handler, limits, turns);
    this.#sockets = replaceConnectionListener(this.#http1, this.#tls, limits, (socket, spoken, serveHttp1) =>
      this.#enter(socket, spoken, serveHttp1),
    );
    surviveAcceptErrors(this.#http1, options.logger);
  }

  async listen(host: string, port: number): Promise<Bound> {
    this.#bound = await bindEverywhere(this.#http1, host, port);
    for (const server of this.#bound.others) surviveAcceptErrors(server, this.#logger);
    return this.#bound;
  }

  fade(): void {
    this.#drain.begin();
  }

  drain(): void {
    this.#drain.begin();
    this.#http2.drain();
  }

  idle(ms: number, quietMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#flight.idle(ms, quietMs, signal);
  }

  useCertificate(files: TlsFiles): void {
    if (this.#tls === undefined)
      throw new Error("the port speaks cleartext: it has no certificate to replace");
    this.#tls.useCertificate(files);
  }

  async close(drainMs: number): Promise<void> {
    const closed = this.#bound?.close();
    this.#drain.end();
    this.#http2.drain();
    for (const [socket, spoken] of this.#sockets) if (spoken === undefined) socket.destroy();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets.keys()) socket.destroy();
    }, drainMs);
    await closed;
    clearTimeout(timer);
    this.#stalls.stop();
    // Ends the interval that checks timeouts; its own way to stop is not used before, as it cuts unflushed responses.
    this.#http1.close(() => {});
  }

  #serveHttp1(handler: HttpHandler, limits: HttpLimits, turns: Turns): void {
    this.#http1.on("request", (req, res) => {
      const { socket } = req;
      if (!this.#pipeline.begin(socket)) return;
      this.#drain.track(socket, res);
      this.#halfClose.onRequest(socket);
      this.#flight.enter();
      this.#stalls.enter(res);
      // One listener for all that end with the response.
      res.once("close", () => {
        this.#pipeline.settle(socket, res);
        this.#drain.leave(socket, res);
        this.#flight.leave();
        this.#stalls.leave(res);
      });
      endEarlyAnswer(req, res, limits, turns);
      handler(req, res);
    });
  }

  #serveHttp2(handler: HttpHandler, limits: HttpLimits, turns: Turns): void {
    const { server } = this.#http2;
    const spread = createSpread(limits, turns);
    server.on("request", (req, res) => {
      const response = res as unknown as ServerResponse;
      this.#flight.track(response);
      spread(req.stream, response, () => {
        this.#stalls.track(response);
        handler(req as unknown as IncomingMessage, response);
      });
    });
    const { onStream } = handler;
    if (onStream === undefined) return;
    divertStreams(server, (stream, headers, rawHeaders) => {
      const begin = onStream(stream, headers, rawHeaders);
      if (begin === undefined) return false;
      this.#flight.enter();
      stream.once("close", () => {
        this.#flight.leave();
        this.#stalls.leave(stream);
      });
      spread(stream, stream, () => {
        this.#stalls.enter(stream);
        begin();
      });
      return true;
    });
  }

  /** Takes in a connection that said what it speaks. */
  #enter(socket: Socket, spoken: Spoken, serveHttp1: ServeHttp1): void {
    if (spoken === "http2") {
      // With half-open sockets a session outlives its peer's FIN for ever.
      socket.allowHalfOpen = false;
      this.#http2.server.emit("connection", socket);
      return;
    }
    this.#drain.add(socket);
    serveHttp1(socket);
    this.#pipeline.add(socket);
  }
}

function createHttp1(limits: HttpLimits): Server {
  const server = createServer({
    headersTimeout: Math.min(limits.headersMs, limits.requestMs),
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Timeouts are only seen at this interval, by default 30 s.
    connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
    maxHeaderSize: limits.headerBytes,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    noDelay: true,
    // The guard asks for it, as for all that is wrong with a Host.
    requireHostHeader: false,
  });
  server.maxHeadersCount = 200;
  server.maxConnections = limits.maxConnections;
  return server;
}

type ServeHttp1 = (socket: Socket) => void;

/**
 * Puts the sniffer in front of http1's own connection listener. Answers every open socket with what it speaks, undefined while
 * it has not said.
 */
function replaceConnectionListener(
  http1: Server,
  tls: TlsEntry | undefined,
  limits: HttpLimits,
  known: (socket: Socket, spoken: Spoken, serveHttp1: ServeHttp1) => void,
): Map<Socket, Spoken | undefined> {
  const sockets = new Map<Socket, Spoken | undefined>();
  const [original] = http1.listeners("connection");
  if (original === undefined) throw new Error("http.Server has no connection listener");
  const serveHttp1: ServeHttp1 = (socket) => original.call(http1, socket);
  http1.removeAllListeners("connection");
  tls?.onKnown((socket, spoken, raw) => {
    sockets.set(raw, spoken);
    known(socket, spoken, serveHttp1);
  });
  http1.on("connection", (socket) => {
    sockets.set(socket, undefined);
    socket.once("close", () => sockets.delete(socket));
    if (tls !== undefined) return tls.enter(socket);
    sniffPreface(socket, limits.prefaceMs, (spoken) => {
      sockets.set(socket, spoken);
      known(socket, spoken, serveHttp1);
    });
  });
  return sockets;
}

/** The handler, with a last resort for one that throws. */
function guarded(handler: HttpHandler, logger: HttpLogger | undefined): HttpHandler {
  const guardedHandler: HttpHandler = (req, res) => {
    try {
      handler(req, res);
    } catch (error) {
      logger?.error({ err: error }, "a request handler failed");
      if (res.headersSent) res.destroy();
      else res.writeHead(500, { "content-type": "application/json" }).end('{"error":"internal error"}\n');
    }
  };
  return Object.assign(guardedHandler, handler.onStream && { onStream: handler.onStream });
}
