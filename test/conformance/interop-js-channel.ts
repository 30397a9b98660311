import { createHash } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  compressionAlgorithms,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";

/** How a channel is made. */
export interface ChannelWishes {
  readonly target: string;
  /** File with the certificate to trust; empty: in the clear. */
  readonly ca: string;
  /** Milliseconds between pings; 0: none. */
  readonly pingsMs: number;
  readonly gzip: boolean;
}

/** Makes the channel, as what all calls are made with. */
export function openChannel({ target, ca, pingsMs, gzip }: ChannelWishes): Client {
  const options: ChannelOptions = {
    ...(pingsMs > 0 && {
      "grpc.keepalive_time_ms": pingsMs,
      "grpc.keepalive_timeout_ms": 10_000,
      "grpc.keepalive_permit_without_calls": 1,
    }),
    ...(gzip && { "grpc.default_compression_algorithm": compressionAlgorithms.gzip }),
    // By default it asks TLS for the host of the target, and Node 26 takes no address for that.
    ...(ca !== "" && { "grpc.ssl_target_name_override": "localhost" }),
  };
  return new Client(
    target,
    ca === "" ? credentials.createInsecure() : credentials.createSsl(readFileSync(ca)),
    options,
  );
}

/** Counts connections of this process from now on, and the bytes that they carried so far. */
export function countTraffic(): () => { connections: number; read: number; written: number } {
  const sockets: Socket[] = [];
  subscribe("net.client.socket", (message) => void sockets.push((message as { socket: Socket }).socket));
  const sum = (of: (socket: Socket) => number) => sockets.reduce((total, socket) => total + of(socket), 0);
  return () => ({
    connections: sockets.filter(({ bytesRead }) => bytesRead > 0).length,
    read: sum(({ bytesRead }) => bytesRead),
    written: sum(({ bytesWritten }) => bytesWritten),
  });
}

/** What a call carries besides its request. */
export interface CallWishes extends CallOptions {
  /** Empty: none. */
  readonly token: string;
}

/** How a call ended: the fields that describe.go has. */
export interface Ending {
  code: string;
  error: string;
  header: string[];
  trailer: string[];
  ms: number;
  reason?: string;
  domain?: string;
  metadata?: Record<string, string>;
  retry_ms?: number;
}

/** How much of a text is printed, in characters. */
const MOST_SHOWN = 256 * 1024;

/** What is told of a text: its size in bytes, its hash, and its beginning. */
export function shown(text: string): { text: string; size: number; sha256: string } {
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { text: text.slice(0, MOST_SHOWN), size: Buffer.byteLength(text), sha256 };
}

/** A call of either kind: gives each message, and resolves with how it ended. */
export interface Called {
  readonly ended: Promise<Ending>;
  readonly cancel: () => void;
}

/** Makes a call. `take` is told every message. */
export function call<D extends DescMethod>(
  client: Client,
  method: D,
  request: MessageInitShape<D["input"]>,
  { token, ...options }: CallWishes,
  take: (message: MessageShape<D["output"]>) => void,
): Called {
  const path = `/${method.parent.typeName}/${method.name}`;
  const write = (message: MessageShape<D["input"]>) => Buffer.from(toBinary(method.input, message));
  const read = (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<D["output"]>;
  const message = create(method.input, request) as MessageShape<D["input"]>;
  const sent = new Metadata();
  if (token !== "") sent.set("authorization", `Bearer ${token}`);
  sent.set("x-trace-bin", Buffer.from([0, 255, 1]));
  const began = performance.now();
  const { promise: ended, resolve } = Promise.withResolvers<Ending>();
  let header: string[] = [];
  const end = (failure: Pick<ServiceError, "code" | "details">, trailer: Metadata) =>
    resolve({
      code: status[failure.code] ?? "",
      error: failure.details,
      header,
      trailer: Object.keys(trailer.getMap()),
      ms: Math.round(performance.now() - began),
      ...detailsOf(trailer),
    });
  const started =
    method.methodKind === "unary"
      ? client.makeUnaryRequest(path, write, read, message, sent, options, (_, answer) => {
          if (answer !== undefined) take(answer);
        })
      : client
          .makeServerStreamRequest(path, write, read, message, sent, options)
          .on("data", take)
          // It comes as the status, too.
          .on("error", () => {});
  started.on("metadata", (headers) => (header = Object.keys(headers.getMap())));
  started.on("status", (it) => end(it, it.metadata));
  return { ended, cancel: () => started.cancel() };
}

/** The status' details, which gRPC's libraries leave to the caller to read. */
function detailsOf(trailer: Metadata): Partial<Ending> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(trailer.getMap()))
    headers.set(name, typeof value === "string" ? value : value.toString("base64"));
  if (!headers.has("grpc-status-details-bin")) return {};
  headers.set("grpc-status", "2");
  const error = findTrailerError(headers);
  const [info] = error?.findDetails(ErrorInfoSchema) ?? [];
  const [retry] = error?.findDetails(RetryInfoSchema) ?? [];
  return {
    ...(info && { reason: info.reason, domain: info.domain, metadata: info.metadata }),
    ...(retry?.retryDelay && {
      retry_ms: Number(retry.retryDelay.seconds) * 1000 + retry.retryDelay.nanos / 1e6,
    }),
  };
}
