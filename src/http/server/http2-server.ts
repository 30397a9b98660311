import {
  constants,
  createServer,
  type Http2Server,
  type Http2Stream,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type ServerHttp2Session,
} from "node:http2";
import { endEarlyStream } from "./early-answer.ts";
import type { HttpLimits } from "./http-limits.ts";
import { monotonicNow } from "@valinor/protocol";

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_CANCEL } = constants;

/** An HTTP/2 server that listens on nothing: connections are given to it. */
export interface SessionServer {
  readonly server: Http2Server;
  /**
   * Sends GOAWAY on every session: streams in flight go on, new ones are refused, which says that nothing of them was done, and the session
   * ends after the last. A session that comes later may open a stream, to be told, and gets its GOAWAY then.
   */
  drain(): void;
}

/**
 * Makes the HTTP/2 side of the listener. Node's defaults bound neither streams nor floods, and hold an idle session for ever;
 * here each session has a bound for all of them, and each request's body must arrive in time.
 */
export function createSessionServer(limits: HttpLimits): SessionServer {
  const sessions = new Set<ServerHttp2Session>();
  let draining = false;
  const server = createServer({
    settings: { maxConcurrentStreams: limits.maxStreams, maxHeaderListSize: limits.headerBytes },
    maxSessionMemory: 10,
    maxHeaderListPairs: 100,
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    streamResetBurst: 100,
    streamResetRate: 10,
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    // A session that fails closes itself; without a listener the error would end the process.
    session.on("error", () => {});
    boundFloods(session, limits);
    boundIdle(session, limits);
    if (draining) session.once("stream", () => session.close());
  });
  server.on("stream", (stream) => {
    boundBody(stream, limits);
    endEarlyStream(stream, limits.earlyResetMs);
  });
  return {
    server,
    drain: () => {
      draining = true;
      // node:http2 has no GOAWAY that refuses nothing yet (RFC 9113, 6.8): after any, nghttp2 ignores new streams.
      for (const session of sessions) session.close();
    },
  };
}

/** Ends a session that sends more PING or SETTINGS frames than any client has a reason to. */
function boundFloods(session: ServerHttp2Session, limits: HttpLimits): void {
  const flood = (bound: number) => {
    let begun = monotonicNow();
    let count = 0;
    return () => {
      if (++count <= bound) return;
      const now = monotonicNow();
      if (now - begun < limits.floodWindowMs) {
        session.goaway(NGHTTP2_ENHANCE_YOUR_CALM);
        session.destroy();
      }
      begun = now;
      count = 1;
    };
  };
  session.on("ping", flood(limits.maxPings));
  session.on("remoteSettings", flood(limits.maxSettingsFrames));
}

/** Closes a session that has carried no stream for as long as HTTP/1 keeps an idle connection. */
function boundIdle(session: ServerHttp2Session, limits: HttpLimits): void {
  let open = 0;
  let timer: NodeJS.Timeout | undefined;
  const arm = () => {
    timer = setTimeout(() => session.close(), limits.keepAliveMs);
    timer.unref();
  };
  arm();
  session.on("stream", (stream) => {
    open++;
    clearTimeout(timer);
    stream.once("close", () => {
      if (--open === 0 && !session.closed) arm();
    });
  });
  session.once("close", () => clearTimeout(timer));
}

/** Resets a stream whose request body is not complete in time; HTTP/1's `requestTimeout` in HTTP/2. */
function boundBody(stream: Http2Stream, limits: HttpLimits): void {
  if (stream.endAfterHeaders) return;
  const timer = setTimeout(() => stream.close(NGHTTP2_CANCEL), limits.requestMs);
  timer.unref();
  const done = () => clearTimeout(timer);
  stream.once("end", done);
  stream.once("close", done);
}

/** Puts `take` before the listener of a server that makes requests of its streams, which gets those that `take` says false to. */
export function divertStreams(
  server: Http2Server,
  take: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: string[]) => boolean,
): void {
  const makeRequest = server.listeners("stream").at(-1) as StreamListener | undefined;
  if (makeRequest === undefined) throw new Error("http2.Server has no listener for its streams");
  server.off("stream", makeRequest);
  const divert: StreamListener = (stream, headers, flags, rawHeaders) => {
    if (!take(stream, headers, rawHeaders)) makeRequest.call(server, stream, headers, flags, rawHeaders);
  };
  server.on("stream", divert);
}

type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
) => void;
