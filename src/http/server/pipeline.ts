import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { HttpLimits } from "./http-limits.ts";
import type { Turns, Waiting } from "./turns.ts";

/** What stands between a connection's bytes and the parser of HTTP/1. */
export interface Pipeline {
  /** Takes over a connection that the server listens to. */
  add(socket: Socket): void;
  /** Counts a request until its response has closed. False: it is one too many, and its connection was ended. */
  track(socket: Socket, res: ServerResponse): boolean;
}

/** Pieces of a body that are one step; a piece ends where a head could. */
const PIECES = 64;

/** The end of a request's head, but for the line break before it. */
const HEAD_END = Buffer.from("\n\r\n");

/**
 * Makes the bound on requests in flight. Node parses a read of 64 KiB to its end and so begins as many requests as it holds; here the parser
 * is given one head at a time, as long as few requests of the connection are in flight. A connection that has more to say than that stands in
 * line with all others that have, and is not read meanwhile. `onFin` is told of the client's FIN, once; the server is, when all before it has
 * been parsed.
 */
export function createPipeline(limits: HttpLimits, turns: Turns, onFin: (socket: Socket) => void): Pipeline {
  const connections = new Map<Socket, Connection>();
  let held = 0;
  const hold = (bytes: number) => (held += bytes) <= limits.backlogBytes;
  return {
    add(socket) {
      const connection = createConnection(socket, limits, turns, hold, () => onFin(socket));
      connections.set(socket, connection);
      socket.once("close", () => {
        connections.delete(socket);
        connection.end();
      });
    },
    track(socket, res) {
      const connection = connections.get(socket);
      if (connection === undefined) return true;
      res.once("close", () => connection.settle(res.statusCode === 401));
      if (connection.begin() <= limits.maxPipelined) return true;
      socket.destroy();
      return false;
    },
  };
}

interface Connection {
  /** Counts a request; answers how many are in flight. */
  begin(): number;
  /** One of them has its answer. */
  settle(isRefused: boolean): void;
  end(): void;
}

/** `hold` counts bytes that wait in all connections; false: they are too many. */
function createConnection(
  socket: Socket,
  limits: HttpLimits,
  turns: Turns,
  hold: (bytes: number) => boolean,
  onFin: () => void,
): Connection {
  let rest: Buffer = NOTHING;
  let inFlight = 0;
  /** Requests in a row whose credential was not good; after many of them each has to wait. */
  let refusals = 0;
  let penalty: NodeJS.Timeout | undefined;
  /** The server reads bodies, and lets answers leave, at its own pace. */
  let isPausedByServer = false;
  const pause = socket.pause.bind(socket);
  const resume = socket.resume.bind(socket);
  const parse = takeData(socket, take);
  const isOpen = () => !socket.destroyed && !socket.writableEnded;
  const passEnd = holdEnd(socket, () => rest.length === 0 || !isOpen(), onFin);
  const mayFeed = () =>
    isOpen() && !isPausedByServer && penalty === undefined && inFlight < limits.busyPipelined;
  const waiting: Waiting = { step };
  socket.pause = () => {
    isPausedByServer = true;
    return pause();
  };
  socket.resume = () => {
    isPausedByServer = false;
    if (rest.length === 0) return resume();
    turns.join(waiting);
    return socket;
  };

  function take(chunk: Buffer): void {
    if (rest.length > 0) keep(Buffer.concat([rest, chunk]));
    else keep(mayFeed() ? feed(chunk) : chunk);
    if (rest.length === 0) return passEnd();
    pause();
    goOn();
  }

  /** Gives the parser one head at most, or all where there is none; answers what is left. */
  function feed(bytes: Buffer): Buffer {
    const found = bytes.indexOf(HEAD_END);
    const end = found < 0 ? bytes.length : found + HEAD_END.length;
    parse(bytes.subarray(0, end));
    return bytes.subarray(end);
  }

  function keep(bytes: Buffer): void {
    if (bytes.length === rest.length) return;
    const isWithin = hold(bytes.length - rest.length);
    rest = bytes;
    if (!isWithin) socket.destroy();
  }

  function step(): boolean {
    for (let piece = 0; piece < PIECES && rest.length > 0 && mayFeed(); piece++) {
      const before = inFlight;
      keep(feed(rest));
      if (inFlight !== before) break;
    }
    if (rest.length > 0) return mayFeed();
    if (!isPausedByServer) resume();
    passEnd();
    return false;
  }

  function goOn(): void {
    if (rest.length > 0 && mayFeed()) turns.join(waiting);
  }

  function forgive(): void {
    penalty = undefined;
    goOn();
  }

  return {
    begin: () => ++inFlight,
    settle(isRefused) {
      inFlight--;
      refusals = isRefused ? refusals + 1 : 0;
      if (refusals > limits.refusals) penalty ??= setTimeout(forgive, limits.refusalMs);
      goOn();
    },
    end() {
      clearTimeout(penalty);
      turns.leave(waiting);
      keep(NOTHING);
    },
  };
}

const NOTHING: Buffer = Buffer.alloc(0);

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
    // As net does it: nobody else would ask a paused socket for its end.
    socket.read(0);
  };
}
