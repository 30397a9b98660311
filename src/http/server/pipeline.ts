import type { ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { HttpLimits } from "./http-limits.ts";
import type { Turns, Waiting } from "./turns.ts";

/** Pieces of a body that are one step; a piece ends where a head could. */
const PIECES = 64;

/** The end of a request's head, but for the line break before it. */
const HEAD_END = Buffer.from("\n\r\n");

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Bounds the requests in flight of HTTP/1 connections. Node parses a read of 64 KiB to its end, and so begins as many requests as it holds;
 * here the parser is given one head at a time, as long as few requests of the connection are in flight. A connection that has more to say
 * than that stands in line with all others that have, and is not read meanwhile.
 */
export class Pipeline {
  readonly #limits: HttpLimits;
  readonly #turns: Turns;
  readonly #onFin: (socket: Socket) => void;
  readonly #connections = new Map<Socket, PacedConnection>();
  /** Bytes that wait in all connections. */
  #held = 0;

  /** `onFin` is told of a client's FIN, once; the server is told when all that came before it has been parsed. */
  constructor(limits: HttpLimits, turns: Turns, onFin: (socket: Socket) => void) {
    this.#limits = limits;
    this.#turns = turns;
    this.#onFin = onFin;
  }

  /** Takes over a connection that the server listens to. */
  add(socket: Socket): void {
    const hold = (bytes: number) => (this.#held += bytes) <= this.#limits.backlogBytes;
    const connection = new PacedConnection(socket, this.#limits, this.#turns, hold, this.#onFin);
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      connection.end();
    });
  }

  /** Counts a request. False: it is one too many, and its connection was ended. */
  begin(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.begin() <= this.#limits.maxPipelined) return true;
    socket.destroy();
    return false;
  }

  /** The response to one of them has closed. */
  settle(socket: Socket, { statusCode }: ServerResponse): void {
    this.#connections.get(socket)?.settle(statusCode === 401);
  }
}

/** A connection whose parser gets what it can take. */
class PacedConnection implements Waiting {
  readonly #socket: Socket;
  readonly #limits: HttpLimits;
  readonly #turns: Turns;
  readonly #hold: (bytes: number) => boolean;
  readonly #parse: (chunk: Buffer) => void;
  readonly #passEnd: () => void;
  /** What has come and was not parsed yet. */
  #rest: Buffer = NOTHING;
  #inFlight = 0;
  /** Requests in a row whose credential was not good; after many of them each has to wait. */
  #refusals = 0;
  #penalty: NodeJS.Timeout | undefined;
  /** The server reads bodies, and lets answers leave, at its own pace. */
  #isPausedByServer = false;

  /** `hold` counts bytes that wait in all connections; false: they are too many. */
  constructor(
    socket: Socket,
    limits: HttpLimits,
    turns: Turns,
    hold: (bytes: number) => boolean,
    onFin: (socket: Socket) => void,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#turns = turns;
    this.#hold = hold;
    this.#parse = takeData(socket, (chunk) => this.#take(chunk));
    const isParsed = () => this.#rest.length === 0 || !this.#isOpen();
    this.#passEnd = holdEnd(socket, isParsed, () => onFin(socket));
    socket.pause = () => {
      this.#isPausedByServer = true;
      return this.#pause();
    };
    socket.resume = () => {
      this.#isPausedByServer = false;
      if (this.#rest.length === 0) return this.#resume();
      this.#turns.join(this);
      return socket;
    };
  }

  /** Counts a request; answers how many are in flight. */
  begin(): number {
    return ++this.#inFlight;
  }

  /** One of the requests has its answer. */
  settle(isRefused: boolean): void {
    this.#inFlight--;
    this.#refusals = isRefused ? this.#refusals + 1 : 0;
    if (this.#refusals > this.#limits.refusals)
      this.#penalty ??= setTimeout(() => this.#forgive(), this.#limits.refusalMs);
    this.#goOn();
  }

  /** The connection has closed. */
  end(): void {
    clearTimeout(this.#penalty);
    this.#turns.leave(this);
    this.#keep(NOTHING);
  }

  /** Waiting.step: gives the parser what waits, up to the next request. */
  step(): boolean {
    for (let piece = 0; piece < PIECES && this.#rest.length > 0 && this.#mayFeed(); piece++) {
      const before = this.#inFlight;
      this.#keep(this.#feed(this.#rest));
      if (this.#inFlight !== before) break;
    }
    if (this.#rest.length > 0) return this.#mayFeed();
    if (!this.#isPausedByServer) this.#resume();
    this.#passEnd();
    return false;
  }

  #take(chunk: Buffer): void {
    if (this.#rest.length > 0) this.#keep(Buffer.concat([this.#rest, chunk]));
    else this.#keep(this.#mayFeed() ? this.#feed(chunk) : chunk);
    if (this.#rest.length === 0) return this.#passEnd();
    this.#pause();
    this.#goOn();
  }

  /** Gives the parser one head at most, with the body behind it if no other head is there; or all if there is none. Answers what is left. */
  #feed(bytes: Buffer): Buffer {
    const found = bytes.indexOf(HEAD_END);
    const end = found < 0 ? bytes.length : found + HEAD_END.length;
    if (end === bytes.length || bytes.indexOf(HEAD_END, end) < 0) {
      this.#parse(bytes);
      return NOTHING;
    }
    this.#parse(bytes.subarray(0, end));
    return bytes.subarray(end);
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === this.#rest.length) return;
    const isWithin = this.#hold(bytes.length - this.#rest.length);
    this.#rest = bytes;
    if (!isWithin) this.#socket.destroy();
  }

  #isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.writableEnded;
  }

  #mayFeed(): boolean {
    if (this.#isPausedByServer || this.#penalty !== undefined || !this.#isOpen()) return false;
    return this.#inFlight < this.#limits.busyPipelined;
  }

  #goOn(): void {
    if (this.#rest.length > 0 && this.#mayFeed()) this.#turns.join(this);
  }

  #forgive(): void {
    this.#penalty = undefined;
    this.#goOn();
  }

  /** The socket's own way, which is not the server's. */
  #pause(): Socket {
    return Socket.prototype.pause.call(this.#socket);
  }

  #resume(): Socket {
    return Socket.prototype.resume.call(this.#socket);
  }
}

/** Puts `take` in the place of the server's own listener for data, and answers that. */
function takeData(socket: Socket, take: (chunk: Buffer) => void): (chunk: Buffer) => void {
  const [parse] = socket.listeners("data");
  if (parse === undefined) throw new Error("http.Server does not listen to its connection");
  socket.removeAllListeners("data");
  // From the moment that somebody else listens, Node's parser no longer reads past the socket.
  socket.on("data", take);
  return (chunk) => (parse as (chunk: Buffer) => void).call(socket, chunk);
}

/**
 * Keeps the end of what a client sends from the server as long as something before it has not been parsed: the server would take the client's
 * word for being cut off there. Answers what passes the end on when it is time.
 */
function holdEnd(socket: Socket, isParsed: () => boolean, onFin: () => void): () => void {
  const push = socket.push.bind(socket);
  let isHeld = false;
  let isTold = false;
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null) return push(chunk, encoding);
    // A socket that is read once more after its end says again that it has ended.
    if (!isTold) onFin();
    isTold = true;
    isHeld = !isParsed() || socket.readableLength > 0;
    return isHeld ? false : push(null);
  };
  return () => {
    if (!isHeld || !isParsed() || socket.readableLength > 0) return;
    isHeld = false;
    push(null);
    // As net does it: nothing else would ask a paused socket for its end.
    socket.read(0);
  };
}
