import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { afterFile } from "../helpers/cleanup.ts";

/** Headers that end at a proxy. */
const HOP = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "host",
  "upgrade",
  "te",
  "http2-settings",
]);

/**
 * A fake proxy that does what the worst of the real ones do: it compresses every answer, of whatever type, and hands on what the
 * compressor gives when it gives it, unless the answer says `no-transform` (Envoy's compressor, Caddy's encode, content delivery networks and
 * Node's middlewares all look at that). It speaks HTTP/1 to clients, and HTTP/1 or h2c to the server, as Envoy does. Runs until the last
 * test of the file; gives its address.
 */
export async function startCompressingProxy(
  upstreamPort: number,
  speaks: "http1" | "http2",
): Promise<string> {
  const forward = speaks === "http1" ? forwardHttp1 : forwardHttp2;
  const proxy = createServer((req, res) => {
    const headers = Object.fromEntries(Object.entries(req.headers).filter(([name]) => !HOP.has(name)));
    forward(upstreamPort, req, headers, (status, answered, body) => {
      answer(res, status, answered, body);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  afterFile(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

type Answer = (status: number, headers: IncomingHttpHeaders, body: Readable) => void;
type Forward = (
  port: number,
  req: IncomingMessage,
  headers: Record<string, string | string[] | undefined>,
  answer: Answer,
) => void;

const forwardHttp1: Forward = (port, req, headers, tell) => {
  const { url: path, method } = req;
  const upstream = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
    tell(response.statusCode ?? 502, response.headers, response);
  });
  upstream.on("error", () => req.destroy());
  req.socket.once("close", () => upstream.destroy());
  req.pipe(upstream);
};

const forwardHttp2: Forward = (port, req, headers, tell) => {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => req.destroy());
  const target = { ":method": req.method ?? "GET", ":path": req.url ?? "/" };
  const upstream = session.request({ ...headers, ...target });
  upstream.on("response", ({ ":status": status = 502, ...answered }) => tell(status, answered, upstream));
  upstream.on("error", () => req.destroy());
  upstream.once("close", () => session.destroy());
  req.socket.once("close", () => upstream.destroy());
  req.pipe(upstream);
};

function answer(res: ServerResponse, status: number, answered: IncomingHttpHeaders, body: Readable): void {
  const entries = Object.entries(answered).filter(([name]) => !HOP.has(name) && !name.startsWith(":"));
  const keeps = /\bno-transform\b/.test(answered["cache-control"] ?? "");
  const headers = Object.fromEntries(
    entries.filter(([name]) => keeps || !/^content-(length|encoding)$/.test(name)),
  ) as Record<string, string>;
  body.on("error", () => res.destroy());
  if (keeps) {
    res.writeHead(status, headers);
    res.flushHeaders();
    body.pipe(res);
    return;
  }
  res.writeHead(status, { ...headers, "content-encoding": "gzip" });
  body.pipe(createGzip()).pipe(res);
}
