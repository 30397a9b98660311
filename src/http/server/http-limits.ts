/** Bounds of the HTTP side. Sizes are bytes, durations milliseconds. */
export interface HttpLimits {
  /** Connections open at once; more are closed as they come. */
  readonly maxConnections: number;
  /** A connection makes known within this time whether it speaks HTTP/1 or HTTP/2. */
  readonly prefaceMs: number;
  /** A request's headers are complete within this time. */
  readonly headersMs: number;
  /** A whole request, its body included, is received within this time. The response may take as long as it likes. */
  readonly requestMs: number;
  /** An idle connection is kept this long: longer than the 60 s of common load balancers, or they answer 502 now and then. */
  readonly keepAliveMs: number;
  /** A client that takes nothing of a response for this long is dropped. Event streams have a tighter bound of their own. */
  readonly writeStallMs: number;
  /** Request line and headers together; a message may be in a query. */
  readonly headerBytes: number;
  /** Requests of one HTTP/1 connection that are in flight before it is read no further. */
  readonly busyPipelined: number;
  /** Requests of one HTTP/1 connection in flight; one more ends it. */
  readonly maxPipelined: number;
  /** Bytes that all HTTP/1 connections together may have sent ahead of what is served; one that sends more then is ended. */
  readonly backlogBytes: number;
  /** Answers 401 that a connection may get in a row before each further request of it waits so long. */
  readonly refusals: number;
  readonly refusalMs: number;
  /** Answers 401 of all connections in a second: beyond them each that gets one waits, and so many times longer. */
  readonly refusalsPerSecond: number;
  /** Requests, and milliseconds, that a turn of the event loop spends on connections that have sent ahead. */
  readonly turnRequests: number;
  readonly turnMs: number;
  /** A body whose answer has left is read and thrown away for so long, and so far, before its HTTP/1 connection is ended. */
  readonly lingerMs: number;
  readonly lingerBytes: number;
  /** A body whose answer has left has this long to be complete before its HTTP/2 stream is reset. */
  readonly earlyResetMs: number;
  /** Streams open at once in an HTTP/2 connection. */
  readonly maxStreams: number;
  /** PING and SETTINGS frames that a session may send within `floodWindowMs`. gRPC clients ping once a round trip. */
  readonly maxPings: number;
  readonly maxSettingsFrames: number;
  readonly floodWindowMs: number;
}

/** The bounds, unless others are given. */
export const defaultHttpLimits: HttpLimits = {
  maxConnections: 10_000,
  prefaceMs: 5_000,
  headersMs: 10_000,
  requestMs: 60_000,
  keepAliveMs: 75_000,
  writeStallMs: 60_000,
  headerBytes: 64 * 1024,
  busyPipelined: 8,
  maxPipelined: 64,
  backlogBytes: 64 * 1024 * 1024,
  refusals: 32,
  refusalMs: 50,
  refusalsPerSecond: 500,
  turnRequests: 8,
  turnMs: 2,
  lingerMs: 2_000,
  lingerBytes: 8 * 1024 * 1024,
  earlyResetMs: 250,
  maxStreams: 100,
  maxPings: 20_000,
  maxSettingsFrames: 100,
  floodWindowMs: 10_000,
};
