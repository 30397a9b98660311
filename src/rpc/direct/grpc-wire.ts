import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Compression, compressionNegotiate } from "@connectrpc/connect/protocol";
import { contentTypeProto, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { TENANT_HEADER } from "../../auth/authenticate.ts";
import { compressions } from "../messages/adapter.ts";
import {
  COMPRESSED,
  createEnvelopeSplitter,
  type Envelope,
  type EnvelopeSplitter,
  seal,
} from "../messages/envelopes.ts";
import { MAX_TIMEOUT_MS, timeoutOf } from "../messages/front.ts";
import { respell } from "../messages/grpc-message.ts";
import type { RpcServices } from "../unary.ts";
import { DirectCall, type Wire } from "./call.ts";
import { COMPRESS_FROM } from "./connect-wire.ts";
import type { DirectMethod } from "./method.ts";

/** Begins a call; `headers` go into its answer as well. */
export type BeginStream = (headers: Readonly<Record<string, string>>) => void;

/**
 * What answers a unary call of gRPC on a stream of HTTP/2, without Node's shapes of HTTP/1; undefined, and nothing was done, if it is for the
 * library: it is no plain call of one of the methods, its messages are JSON or compressed, or its deadline is malformed.
 */
export function serveGrpc(
  services: RpcServices,
  methods: ReadonlyMap<string, DirectMethod>,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): BeginStream | undefined {
  const type = headers["content-type"];
  if (type !== "application/grpc" && type !== contentTypeProto) return undefined;
  const method = methods.get(headers[":path"] ?? "");
  if (method === undefined || headers[":method"] !== "POST" || headers.expect !== undefined) return undefined;
  const encoding = headers["grpc-encoding"];
  if (encoding !== undefined && encoding !== "identity") return undefined;
  const timeout = headers["grpc-timeout"];
  const timeoutMs = typeof timeout === "string" ? timeoutOf(timeout) : undefined;
  if (timeout !== undefined && timeoutMs === undefined) return undefined;
  const tenant = headers[TENANT_HEADER];
  if (Array.isArray(tenant)) return undefined;
  const { authorization } = headers;
  return (more) => {
    const wire = new GrpcWire(method, stream, headers["grpc-accept-encoding"], more);
    const call = new DirectCall(services, method, false, wire);
    stream.on("error", ignore);
    stream.once("close", () => call.left());
    const ms = timeoutMs === undefined ? undefined : Math.min(timeoutMs, MAX_TIMEOUT_MS);
    call.begin({ authorization, tenant, timeoutMs: ms });
  };
}

/** A unary call of gRPC. */
class GrpcWire implements Wire {
  readonly #method: DirectMethod;
  readonly #stream: ServerHttp2Stream;
  readonly #compression: Compression | null;
  readonly #more: Readonly<Record<string, string>>;
  #splitter: EnvelopeSplitter | undefined;
  #messages = 0;

  constructor(
    method: DirectMethod,
    stream: ServerHttp2Stream,
    accepted: string | string[] | undefined,
    more: Readonly<Record<string, string>>,
  ) {
    this.#method = method;
    this.#stream = stream;
    this.#more = more;
    const known = method.bounds.compressed ? compressions : [];
    this.#compression =
      accepted === undefined
        ? null
        : compressionNegotiate(known, null, String(accepted), "grpc-accept-encoding").response;
  }

  receive(call: DirectCall): void {
    const stream = this.#stream;
    stream.on("data", (bytes: Buffer) => {
      if (!call.isOver) this.#take(bytes, call);
    });
    stream.once("end", () => this.#takeEnd(call));
  }

  answer(message: Uint8Array | string): void {
    const bytes = message as Uint8Array<ArrayBuffer>;
    const compression = bytes.length < COMPRESS_FROM ? null : this.#compression;
    if (compression === null) return this.#end(seal(0, bytes), OK, {});
    compression.compress(bytes).then(
      (small) => this.#end(seal(COMPRESSED, small), OK, {}),
      () => void this.#stream.destroy(),
    );
  }

  refuse(error: ConnectError, headers: Readonly<Record<string, string>>): void {
    const trailer = setTrailerStatus(new Headers(), error);
    respell(trailer);
    this.#end(undefined, Object.fromEntries(trailer), headers);
  }

  #take(bytes: Buffer, call: DirectCall): void {
    const { bytes: most } = this.#method.bounds;
    try {
      this.#splitter ??= createEnvelopeSplitter(most);
      for (const envelope of this.#splitter.push(bytes)) this.#takeEnvelope(envelope, call);
    } catch (error) {
      call.refuse(error);
    }
  }

  #takeEnvelope({ flags, data }: Envelope, call: DirectCall): void {
    call.take(data);
    if ((flags & COMPRESSED) !== 0)
      throw new ConnectError(
        "received compressed envelope, but do not know how to decompress",
        Code.Internal,
      );
    if (++this.#messages > 1) throw protocolError("received extra input message", Code.Unimplemented);
  }

  #takeEnd(call: DirectCall): void {
    const { aborted, rstCode } = this.#stream;
    // A stream that is reset ends as well.
    if (call.isOver || aborted || rstCode !== 0) return;
    if (this.#splitter?.partial === true)
      return call.refuse(protocolError("incomplete envelope", Code.InvalidArgument));
    if (this.#messages === 0) return call.refuse(protocolError("missing input message", Code.Unimplemented));
    call.complete();
  }

  #end(
    body: Uint8Array | undefined,
    trailers: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>>,
  ): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    const encoding = this.#compression === null ? {} : { "grpc-encoding": this.#compression.name };
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.respond(
      { ":status": 200, ...this.#more, "content-type": contentTypeProto, ...encoding, ...headers },
      WAIT_FOR_TRAILERS,
    );
    stream.end(body);
  }
}

const WAIT_FOR_TRAILERS = { waitForTrailers: true } as const;
const OK = { "grpc-status": "0" } as const;

function protocolError(text: string, code: Code): ConnectError {
  const suffix = code === Code.Unimplemented ? " for unary method" : "";
  return new ConnectError(`protocol error: ${text}${suffix}`, code);
}

/** A stream that fails closes as well; without a listener the error would end the process. */
function ignore(): void {}
