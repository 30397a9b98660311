/**
 * A server as the conformance runner starts them: `node server.ts ours|control SCHEMAS`. It reads what is asked of it on standard input
 * and says there where it listens. `ours` is this project's listener, guard, adapter, interceptors and bounds around the runner's service;
 * `control` is the same service on connect-node and Node's own servers.
 */
import { once } from "node:events";
import { createServer as createHttp1 } from "node:http";
import { createSecureServer, createServer as createHttp2 } from "node:http2";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { FileRegistry, Message } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createGuard } from "../../src/http/guard/guard.ts";
import { createListener } from "../../src/http/server/listener.ts";
import { createAdapter } from "../../src/rpc/messages/adapter.ts";
import { messageOf, readSchemas, serviceOf, type ServerRequest } from "./schema.ts";
import { conformanceService } from "./service.ts";

const HOST = "127.0.0.1";
/** What a message may be if the runner names no limit: the largest of our own. */
const MESSAGE_BYTES = 4 * 1024 * 1024;

interface Asked extends ServerRequest {
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

async function listenOurs(schemas: FileRegistry, asked: Asked): Promise<number> {
  const bounds = { bytes: asked.messageReceiveLimit || MESSAGE_BYTES, compressed: true };
  const rpc = createAdapter({
    boundsOf: () => bounds,
    registry: schemas,
    gate: () => {},
    services: (serve) => serve(serviceOf(schemas), conformanceService(schemas)),
  });
  const guard = createGuard({ allowedOrigins: [], allowedHosts: [], loopbackOnly: true });
  const listener = createListener({
    handler: (req, res) => void (guard(req, res) && rpc(req, res)),
    tls: asked.tls,
  });
  return (await listener.listen(HOST, 0)).port;
}

async function listenControl(schemas: FileRegistry, asked: Asked): Promise<number> {
  const handler = connectNodeAdapter({
    jsonOptions: { registry: schemas },
    ...(asked.messageReceiveLimit > 0 && { readMaxBytes: asked.messageReceiveLimit }),
    routes: (router) => void router.service(serviceOf(schemas), conformanceService(schemas)),
  });
  const { tls, httpVersion } = asked;
  const server: Server =
    httpVersion === 2
      ? tls === undefined
        ? createHttp2(handler)
        : createSecureServer({ ...tls, allowHTTP1: true }, handler)
      : tls === undefined
        ? createHttp1(handler)
        : createHttps(tls, handler);
  server.listen(0, HOST);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** The one message on standard input: its length in four bytes, and itself. */
async function readRequest(schemas: FileRegistry): Promise<Asked> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) {
    parts.push(part as Buffer);
    const all = Buffer.concat(parts);
    if (all.length < 4 || all.length < 4 + all.readUInt32BE(0)) continue;
    const bytes = all.subarray(4, 4 + all.readUInt32BE(0));
    const request = fromBinary(messageOf(schemas, "ServerCompatRequest"), bytes) as Message & ServerRequest;
    const creds = request.useTls ? request.serverCreds : undefined;
    const text = (pem: Uint8Array) => Buffer.from(pem).toString();
    return { ...request, tls: creds && { cert: text(creds.cert), key: text(creds.key) } };
  }
  throw new Error("standard input ended before the runner's request");
}

const [kind, file = ""] = process.argv.slice(2);
const schemas = readSchemas(file);
const asked = await readRequest(schemas);
const port = await (kind === "control" ? listenControl : listenOurs)(schemas, asked);
const response = messageOf(schemas, "ServerCompatResponse");
const pemCert = Buffer.from(asked.tls?.cert ?? "");
const bytes = toBinary(response, create(response, { host: HOST, port, pemCert }));
const head = Buffer.alloc(4);
head.writeUInt32BE(bytes.length);
process.stdout.write(Buffer.concat([head, bytes]));
