import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Code } from "@connectrpc/connect";
import { notFoundMessage, streamHeaders, tidyPath } from "../../core/edge.ts";
import { probeByKeepalive } from "./probe.ts";
import { type Refusal, refuseRpc } from "./refusals.ts";

/** Longest deadline that a call gets: longer than any run. A client may ask for more. */
export const MAX_TIMEOUT_MS = 24 * 60 * 60_000;

/** Looks at a request before the library does. */
export interface RpcFront {
  /**
   * True if the request is for the library, for which it has been prepared; false if it has been answered; undefined if it is not an
   * RPC.
   */
  admit(req: IncomingMessage, res: ServerResponse): boolean | undefined;
}

/** Makes the front of these services: paths that don't exist, methods and content types that can't be are refused with words. */
export function createRpcFront(services: readonly DescService[]): RpcFront {
  const methods = new Map<string, DescMethod>();
  for (const service of services)
    for (const method of service.methods) methods.set(`/${service.typeName}/${method.name}`, method);
  const roots = services.map((service) => `/${service.typeName}`);
  return {
    admit(req, res) {
      const path = pathOf(req.url ?? "/");
      const method = methods.get(path);
      if (method === undefined) {
        const tidy = tidyPath(path);
        const known = roots.some((root) => tidy === root || tidy.startsWith(`${root}/`));
        if (!known && !speaksRpc(req.headers)) return undefined;
        refuseRpc(req, res, unknownMethod(path));
        return false;
      }
      const refusal = refusalOf(req, method);
      if (refusal !== undefined) {
        refuseRpc(req, res, refusal);
        return false;
      }
      prepare(req, res, method);
      return true;
    },
  };
}

function pathOf(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? target : target.slice(0, mark);
}

/** True for what only clients of an RPC protocol send. */
function speaksRpc(headers: IncomingHttpHeaders): boolean {
  if (headers["connect-protocol-version"] !== undefined) return true;
  return /^application\/(?:grpc|connect)\b/i.test(headers["content-type"] ?? "");
}

function unknownMethod(path: string): Refusal {
  const words = notFoundMessage(path).replace("nothing", "no method");
  return { status: 404, code: Code.Unimplemented, message: words };
}

/** Why the library would answer with a bare status; undefined if it would not. */
function refusalOf(req: IncomingMessage, method: DescMethod): Refusal | undefined {
  const mayGet = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  const isGet = req.method === "GET" && mayGet;
  if (req.method !== "POST" && !isGet) {
    const allow = mayGet ? "GET, POST" : "POST";
    return { status: 405, code: Code.Unimplemented, message: `use ${allow}`, headers: { allow } };
  }
  const type = req.headers["content-type"];
  if (isGet && type === undefined) return undefined;
  const known = isGet ? [UNARY] : typesOf(method);
  if (type === undefined || !known.some((pattern) => pattern.test(type))) {
    const message = `content-type ${JSON.stringify((type ?? "").slice(0, 100))} is not supported here: use ${accepted(method)}`;
    return {
      status: 415,
      code: Code.InvalidArgument,
      message,
      headers: { "accept-post": accepted(method) },
    };
  }
  if (method.methodKind === "bidi_streaming" && req.httpVersionMajor < 2) {
    const message = "this method streams both ways and needs HTTP/2";
    return { status: 505, code: Code.Unimplemented, message, headers: { connection: "close" } };
  }
  return undefined;
}

const GRPC = /^application\/grpc(?:-web(?:-text)?)?(?:\+(?:json(?:; ?charset=utf-?8)?|proto))?$/i;
const UNARY = /^application\/(?:json(?:; ?charset=utf-?8)?|proto)$/i;
const STREAM = /^application\/connect\+(?:json(?:; ?charset=utf-?8)?|proto)$/i;

function typesOf(method: DescMethod): readonly RegExp[] {
  return [GRPC, method.methodKind === "unary" ? UNARY : STREAM];
}

function accepted({ methodKind }: DescMethod): string {
  const own = methodKind === "unary" ? "application/" : "application/connect+";
  return [
    `${own}json`,
    `${own}proto`,
    "application/grpc",
    "application/grpc-web",
    "application/grpc-web-text",
  ].join(", ");
}

function prepare(req: IncomingMessage, res: ServerResponse, method: DescMethod): void {
  const { headers } = req;
  capDeadlines(headers);
  if (method.methodKind === "unary") return;
  for (const [name, value] of Object.entries(streamHeaders)) res.setHeader(name, value);
  probeByKeepalive(res, method.output);
}

const HOURS = MAX_TIMEOUT_MS / 3_600_000;
/** Milliseconds of gRPC's units. */
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a gRPC deadline; undefined if it is malformed. */
export function timeoutOf(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? undefined : Number(match[1]) * (units[match[2] ?? ""] ?? 0);
}

/** Shortens deadlines that are longer than any call may take; the library would refuse them. What is malformed stays so. */
function capDeadlines(headers: IncomingHttpHeaders): void {
  const connect = headers["connect-timeout-ms"];
  if (typeof connect === "string" && /^\d{1,10}$/.test(connect) && Number(connect) > MAX_TIMEOUT_MS)
    headers["connect-timeout-ms"] = String(MAX_TIMEOUT_MS);
  const grpc = headers["grpc-timeout"];
  if (typeof grpc === "string" && (timeoutOf(grpc) ?? 0) > MAX_TIMEOUT_MS)
    headers["grpc-timeout"] = `${HOURS}H`;
}
