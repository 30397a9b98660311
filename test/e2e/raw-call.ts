import { once } from "node:events";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { request as requestHttp1 } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import type { Protocol } from "./access-world.ts";

/** A request of an RPC whose body is made by hand. */
export interface RawCall {
  readonly url: string;
  readonly method: DescMethod;
  readonly protocol: Protocol;
  readonly json: boolean;
  /** What the body was compressed with. */
  readonly encoding?: string;
  readonly authorization: string | undefined;
  /** The one message, compressed if that is so. */
  readonly message: Uint8Array;
  /** Sends the body in pieces of this many bytes. Default: at once. */
  readonly piece?: number;
}

/** How long a call may take, milliseconds; on a loaded machine. */
const CALL_MS = 20_000;

const grpcCodes = [
  ..."ok canceled unknown invalid_argument deadline_exceeded not_found already_exists permission_denied".split(
    " ",
  ),
  ..."resource_exhausted failed_precondition aborted out_of_range unimplemented internal unavailable".split(
    " ",
  ),
  ..."data_loss unauthenticated".split(" "),
];

/** Makes the call; answers the name of the code that its client sees, `ok` if it succeeded. */
export async function rawCall(call: RawCall): Promise<string> {
  const { method, protocol } = call;
  const unary = method.methodKind === "unary" && protocol === "Connect";
  const body = unary ? call.message : envelope(call.message, call.encoding !== undefined);
  // A stream in both directions needs HTTP/2.
  const http2 = protocol === "gRPC" || method.methodKind === "bidi_streaming";
  const answer = await (http2 ? overHttp2 : overHttp1)(call, headersOf(call, unary), body);
  const status = answer.headers["grpc-status"];
  if (typeof status === "string") return grpcCodes[Number(status)] ?? status;
  const text = answer.body.toString("latin1");
  if (protocol === "Connect")
    return /"code":"(\w+)"/.exec(text)?.[1] ?? (answer.status === 200 ? "ok" : `${answer.status}`);
  return grpcCodes[Number(/grpc-status: ?(\d+)/i.exec(text)?.[1] ?? 2)] ?? "unknown";
}

function headersOf(call: RawCall, unary: boolean): Record<string, string> {
  const codec = call.json ? "json" : "proto";
  const type = {
    Connect: unary ? codec : `connect+${codec}`,
    gRPC: `grpc+${codec}`,
    "gRPC-Web": `grpc-web+${codec}`,
  };
  const encodingHeader = unary
    ? "content-encoding"
    : call.protocol === "Connect"
      ? "connect-content-encoding"
      : "grpc-encoding";
  return {
    "content-type": `application/${type[call.protocol]}`,
    ...(call.encoding !== undefined && { [encodingHeader]: call.encoding }),
    ...(call.authorization !== undefined && { authorization: call.authorization }),
  };
}

function envelope(message: Uint8Array, compressed: boolean): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed ? 1 : 0;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

interface RawAnswer {
  readonly status: number;
  /** With trailers. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

function* piecesOf(body: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

async function overHttp1(
  call: RawCall,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<RawAnswer> {
  const { pathname } = new URL(pathOf(call), call.url);
  const req = requestHttp1(`${call.url}${pathname}`, {
    method: "POST",
    headers: call.piece === undefined ? { ...headers, "content-length": body.length } : headers,
    signal: AbortSignal.timeout(CALL_MS),
  });
  req.on("error", () => {}); // an answer that comes before the body has left may end the connection
  const answered = once(req, "response");
  for (const piece of piecesOf(body, call.piece ?? body.length)) req.write(piece);
  req.end();
  const [res] = (await answered) as [import("node:http").IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of res) parts.push(part as Buffer);
  return {
    status: res.statusCode ?? 0,
    headers: { ...res.headers, ...res.trailers },
    body: Buffer.concat(parts),
  };
}

async function overHttp2(
  call: RawCall,
  headers: Record<string, string>,
  body: Uint8Array,
): Promise<RawAnswer> {
  const session = connectHttp2(call.url);
  const timer = setTimeout(() => session.destroy(new Error("the call took too long")), CALL_MS);
  try {
    const stream = session.request({ ":method": "POST", ":path": pathOf(call), te: "trailers", ...headers });
    let seen: IncomingHttpHeaders = {};
    stream.on("response", (first) => (seen = { ...seen, ...first }));
    stream.on("trailers", (last: IncomingHttpHeaders) => (seen = { ...seen, ...last }));
    for (const piece of piecesOf(body, call.piece ?? body.length)) stream.write(piece);
    stream.end();
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    return { status: Number(seen[":status"]), headers: seen, body: Buffer.concat(parts) };
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}

function pathOf({ method }: RawCall): string {
  return `/${method.parent.typeName}/${method.name}`;
}
