import type { IncomingMessage, ServerResponse } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { type Compression, compressionNegotiate } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { TENANT_HEADER } from "../../auth/authenticate.ts";
import { readWhole } from "../../core/whole-body.ts";
import { compressions } from "../messages/adapter.ts";
import { tooLarge } from "../messages/refuse.ts";
import type { RpcServices } from "../unary.ts";
import { DirectCall, type Wire } from "./call.ts";
import type { DirectMethod } from "./method.ts";

/** An answer shorter than this is never compressed: the library's default. */
export const COMPRESS_FROM = 1_024;

/**
 * Answers a unary call of Connect over HTTP/1 directly; false, and nothing was done, if it is for the library: it is no POST, has a query,
 * a content type with parameters, a compressed body, or a deadline that is malformed. The front has admitted it.
 */
export function serveConnect(
  services: RpcServices,
  methods: ReadonlyMap<string, DirectMethod>,
  req: IncomingMessage,
  res: ServerResponse,
): boolean {
  const { headers } = req;
  const type = headers["content-type"];
  if (req.httpVersionMajor !== 1 || req.method !== "POST") return false;
  if (type !== "application/json" && type !== "application/proto") return false;
  const method = methods.get(req.url ?? "");
  const encoding = headers["content-encoding"];
  if (method === undefined || (encoding !== undefined && encoding !== "identity")) return false;
  const timeout = headers["connect-timeout-ms"];
  if (timeout !== undefined && (typeof timeout !== "string" || !/^\d{1,10}$/.test(timeout))) return false;
  const tenant = headers[TENANT_HEADER];
  if (Array.isArray(tenant)) return false;
  const { authorization } = headers;
  const wire = new ConnectWire(method, type, req, res);
  const call = new DirectCall(services, method, type === "application/json", wire);
  res.once("close", () => call.left());
  call.begin({ authorization, tenant, timeoutMs: timeout === undefined ? undefined : Number(timeout) });
  return true;
}

/** A unary call of Connect over HTTP/1. */
class ConnectWire implements Wire {
  readonly #method: DirectMethod;
  readonly #type: string;
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;

  constructor(method: DirectMethod, type: string, req: IncomingMessage, res: ServerResponse) {
    this.#method = method;
    this.#type = type;
    this.#req = req;
    this.#res = res;
  }

  receive(call: DirectCall): void {
    const most = this.#method.bounds.bytes;
    const length = Number(this.#req.headers["content-length"] ?? 0);
    if (length > most)
      return call.refuse(
        tooLarge(most, `message size ${length} is larger than configured readMaxBytes ${most}`),
      );
    readWhole(this.#req, most, (bytes) => {
      if (bytes === undefined) return call.refuse(tooLarge(most));
      call.take(bytes);
      call.complete();
    });
  }

  answer(message: Uint8Array | string): void {
    this.#send(200, this.#type, message, {});
  }

  refuse(error: ConnectError, headers: Readonly<Record<string, string>>): void {
    const body = errorToJsonBytes(error, undefined);
    this.#send(codeToHttpStatus(error.code), "application/json", body, headers);
  }

  #send(
    status: number,
    type: string,
    body: Uint8Array | string,
    headers: Readonly<Record<string, string>>,
  ): void {
    const length = Buffer.byteLength(body);
    const compression = length < COMPRESS_FROM ? undefined : this.#compression();
    if (compression === undefined)
      return this.#end(status, { "content-length": length, "content-type": type, ...headers }, body);
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    compression.compress(bytes as Uint8Array<ArrayBuffer>).then(
      (small) =>
        this.#end(
          status,
          {
            "content-encoding": compression.name,
            "content-length": small.byteLength,
            "content-type": type,
            ...headers,
          },
          small,
        ),
      () => void this.#res.destroy(),
    );
  }

  #end(status: number, headers: Record<string, string | number>, body: Uint8Array | string): void {
    const res = this.#res;
    if (res.closed || res.headersSent) return;
    res.writeHead(status, headers).end(body);
  }

  /** What the client takes its answer compressed with; undefined: nothing that is known. */
  #compression(): Compression | undefined {
    const accepted = this.#req.headers["accept-encoding"];
    if (accepted === undefined || !this.#method.bounds.compressed) return undefined;
    return compressionNegotiate(compressions, null, accepted, "accept-encoding").response ?? undefined;
  }
}
