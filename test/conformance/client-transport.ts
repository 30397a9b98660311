import type { FileRegistry } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import {
  compressionBrotli,
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { createConnectTransport as createFetchTransport } from "@connectrpc/connect-web";
import type { ClientRequest } from "./schema.ts";

/** What calls go by: `node` for connect-node's transports, `web` for connect-web's, which is the one that @valinor/client makes. */
export type Way = "node" | "web";

const GRPC = 2;
const GRPC_WEB = 3;
const BINARY = 1;
const compressions: Readonly<Record<number, typeof compressionGzip>> = {
  2: compressionGzip,
  3: compressionBrotli,
};

/** Makes what gives each call its transport. Calls that want the same of it get the same one, as those of one program do. */
export function createTransports(way: Way, registry: FileRegistry): (request: ClientRequest) => Transport {
  const made = new Map<string, Transport>();
  return (request) => {
    const { httpVersion, protocol, codec, compression, host, port, messageReceiveLimit, useGetHttpMethod } =
      request;
    const parts = [
      httpVersion,
      protocol,
      codec,
      compression,
      host,
      port,
      messageReceiveLimit,
      useGetHttpMethod,
    ];
    const key = JSON.stringify([...parts, request.serverTlsCert.length > 0]);
    const transport = made.get(key) ?? (way === "node" ? nodeTransport : webTransport)(request, registry);
    made.set(key, transport);
    return transport;
  };
}

function baseUrlOf({ serverTlsCert, host, port }: ClientRequest): string {
  return `${serverTlsCert.length > 0 ? "https" : "http"}://${host}:${port}`;
}

function nodeTransport(request: ClientRequest, registry: FileRegistry): Transport {
  const compression = compressions[request.compression];
  const ca = request.serverTlsCert.length > 0 ? Buffer.from(request.serverTlsCert) : undefined;
  const common = {
    baseUrl: baseUrlOf(request),
    jsonOptions: { registry },
    useBinaryFormat: request.codec === BINARY,
    useHttpGet: request.useGetHttpMethod,
    acceptCompression: compression === undefined ? [] : [compression],
    ...(compression !== undefined && { sendCompression: compression, compressMinBytes: 0 }),
    ...(request.messageReceiveLimit > 0 && { readMaxBytes: request.messageReceiveLimit }),
  };
  const nodeOptions = ca === undefined ? {} : { ca };
  const { protocol, httpVersion } = request;
  if (protocol === GRPC) return createGrpcTransport({ ...common, nodeOptions });
  const create = protocol === GRPC_WEB ? createGrpcWebTransport : createConnectTransport;
  return httpVersion === 1
    ? create({ ...common, httpVersion: "1.1", nodeOptions })
    : create({ ...common, httpVersion: "2", nodeOptions });
}

function webTransport(request: ClientRequest, registry: FileRegistry): Transport {
  return createFetchTransport({
    baseUrl: baseUrlOf(request),
    jsonOptions: { registry },
    useBinaryFormat: request.codec === BINARY,
    useHttpGet: request.useGetHttpMethod,
  });
}
