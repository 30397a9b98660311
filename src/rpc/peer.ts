import { createContextKey, createContextValues, type ContextValues } from "@connectrpc/connect";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest } from "node:http2";

/** Where a call comes from. */
export interface Peer {
  readonly address: string;
  /** The same object for every call of a connection. */
  readonly connection: object;
  /** Ends the call from this side at once: its stream, or over HTTP/1 its connection. */
  readonly drop: () => void;
  /** The response, if the pieces of the call's answer go into it as they are. */
  readonly response?: ServerResponse;
}

/** Context key of a call's peer; set for every call that came over a socket. */
export const peerKey = createContextKey<Peer>({ address: "", connection: {}, drop: () => {} });

const responses = new WeakMap<object, ServerResponse>();

/** Says which response answers a request: the library does not, and hands on the request alone. */
export function answersWith(req: IncomingMessage, res: ServerResponse): void {
  // gRPC-Web's text form is made of the pieces on their way.
  if (!/^application\/grpc-web-text/i.test(req.headers["content-type"] ?? "")) responses.set(req, res);
}

/** The first values of a call's context, as connect-node asks for them. */
export function peerValues(req: IncomingMessage | Http2ServerRequest): ContextValues {
  const isHttp2 = "stream" in req;
  const connection = isHttp2 ? (req.stream.session ?? req.stream) : req.socket;
  const drop = () => void (isHttp2 ? req.stream : req.socket).destroy();
  const response = responses.get(req);
  const peer: Peer = {
    address: req.socket.remoteAddress ?? "",
    connection,
    drop,
    ...(response && { response }),
  };
  return createContextValues().set(peerKey, peer);
}
