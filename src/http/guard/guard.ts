import { cors } from "@connectrpc/connect";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ValinorError } from "../../core/errors.ts";
import { hostOf } from "./authority.ts";
import { type HostName, isSameOrigin, parseHost, parseOrigin } from "./origins.ts";
import { type JsonResponse, writeError } from "../routing/json-answer.ts";
import { isLoopback } from "@valinor/protocol";

/** Whom the guard lets in. */
export interface GuardOptions {
  /** Origins of other sites whose pages may call, such as `https://app.example.com`. There is no wildcard. */
  readonly allowedOrigins: readonly string[];
  /** Names that the Host header may have, with or without port; without one, any port will do. */
  readonly allowedHosts: readonly string[];
  /**
   * Only `localhost`, 127.0.0.0/8, `[::1]` and allowedHosts are good Host headers, so that no website can reach a server on
   * this machine under a name of its own (DNS rebinding). Otherwise any Host is good, unless allowedHosts has some.
   */
  readonly loopbackOnly: boolean;
}

/** What the guard looks at. */
export type GuardedRequest = Pick<
  IncomingMessage,
  "headers" | "rawHeaders" | "httpVersion" | "url" | "method"
>;

/** What it answers to. */
export type GuardedResponse = JsonResponse & Pick<ServerResponse, "setHeader">;

/** Says whether a request may go on. False: it has been answered, as a preflight or with 400 or 403. */
export type Guard = (req: GuardedRequest, res: GuardedResponse) => boolean;

const allowMethods = [...cors.allowedMethods, "HEAD"].join(", ");
const allowHeaders = [
  ...cors.allowedHeaders,
  "Authorization",
  "Last-Event-ID",
  "Idempotency-Key",
  "X-Valinor-On-Disconnect",
  "X-Valinor-Tenant",
];
const exposeHeaders = [
  ...cors.exposedHeaders,
  "X-Valinor-Request-Id",
  "X-Valinor-Resumable",
  "X-Valinor-Run-Life",
  "Retry-After",
  "Retry-After-Ms",
  "X-Request-Id",
  "X-Should-Retry",
].join(", ");

/**
 * Makes the check of Host and origin that comes before every route. Browsers send requests of any page to any address:
 * a page of another origin is let through only if it is listed, and then gets its CORS headers.
 * Throws Error for a listed text that is not an origin, or not a host.
 */
export function createGuard(options: GuardOptions): Guard {
  const origins = new Set(options.allowedOrigins.map(listedOrigin));
  const hosts = new Set(options.allowedHosts.map(listedHost));
  const hostAllowed = (host: HostName) =>
    (!options.loopbackOnly && hosts.size === 0) ||
    isLoopback(host.name) ||
    hosts.has(host.name) ||
    hosts.has(`${host.name}:${host.port}`);
  return (req, res) => {
    const host = hostOf(req);
    if (host === "malformed") return refuseHost(res);
    if (options.loopbackOnly || hosts.size > 0) {
      if ((host === undefined || !hostAllowed(host)) && !isProbe(req, host))
        return refuse(res, "host not allowed", hostAdvice(options));
    }
    const origin = req.headers.origin;
    if (origins.size > 0 || origin !== undefined) res.setHeader("vary", "Origin");
    if (origin === undefined) return checkFetchSite(req, res);
    if (origins.has(origin.toLowerCase())) return allowOrigin(req, res, origin);
    if (host !== undefined && isSameOrigin(origin, host)) return true;
    // Behind a proxy that names its upstream as Host only the browser knows, and no page can say it in its place.
    if (req.headers["sec-fetch-site"] === "same-origin") return true;
    return refuse(
      res,
      "origin not allowed",
      "pages of this origin may not call: it is not in server.allowed_origins",
    );
  };
}

/** What orchestrators and balancers ask under whatever name they have for this server: an address, a service's name, none at all. */
const PROBES = /^\/(?:healthz|readyz|grpc\.health\.v1\.Health\/(?:Check|Watch|List))(?:\?|$)/;

/**
 * True for a probe that no page sent: what the health routes tell is public, but the health of an agent is not, and a page whose
 * name was made to lead here (DNS rebinding) says its origin in every request that may ask for one.
 */
function isProbe({ url, headers }: GuardedRequest, host: HostName | undefined): boolean {
  if (!PROBES.test(url ?? "") || headers.origin !== undefined) return false;
  return host !== undefined || (headers.host === undefined && headers[":authority"] === undefined);
}

/**
 * A browser leaves out Origin when it loads an image, follows a link or submits a GET form, and GET can deliver a message: it
 * says then in Sec-Fetch-Site where the page came from. `same-site` is another origin as well (another port of localhost).
 */
function checkFetchSite(req: GuardedRequest, res: GuardedResponse): boolean {
  const site = req.headers["sec-fetch-site"];
  if (site === undefined || site === "same-origin" || site === "none" || isConsoleVisit(req)) return true;
  return refuse(
    res,
    "cross-site request refused",
    "a page of another site or origin may not load this address",
  );
}

/** A link of another site may lead to the console: its files are for everybody, and no frame shows them. */
function isConsoleVisit({ method, url, headers }: GuardedRequest): boolean {
  const visit = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
  return visit && method === "GET" && /^\/console(?:[/?]|$)/.test(url ?? "");
}

function allowOrigin(req: GuardedRequest, res: GuardedResponse, origin: string): boolean {
  res.setHeader("access-control-allow-origin", origin);
  res.setHeader("access-control-expose-headers", exposeHeaders);
  if (req.method !== "OPTIONS" || req.headers["access-control-request-method"] === undefined) return true;
  res.setHeader("access-control-allow-methods", allowMethods);
  res.setHeader("access-control-allow-headers", [...allowHeaders, ...sdkHeaders(req)].join(", "));
  res.setHeader("access-control-max-age", "7200");
  if (req.headers["access-control-request-private-network"] === "true") {
    res.setHeader("access-control-allow-private-network", "true");
  }
  res.writeHead(204).end();
  return false;
}

/** Headers that OpenAI's SDKs add to describe themselves: there is no full list of them. */
function sdkHeaders(req: GuardedRequest): string[] {
  const asked = req.headers["access-control-request-headers"] ?? "";
  const names = asked.split(",").map((name) => name.trim().toLowerCase());
  return names.filter((name) => /^x-stainless-[a-z-]+$/.test(name));
}

/** What a route, or a proxy, would make of such a name is anybody's guess: it gets no further, whatever it asks for. */
function refuseHost(res: GuardedResponse): boolean {
  const message =
    "the request's Host (or :authority) is not one name with perhaps a port: send one such as example.com:8080";
  writeError(res, new ValinorError("INVALID_ARGUMENT", message, { text: "malformed host" }));
  return false;
}

function refuse(res: GuardedResponse, text: string, message: string): boolean {
  writeError(res, new ValinorError("PERMISSION_DENIED", message, { text }));
  return false;
}

function hostAdvice(options: GuardOptions): string {
  const names = options.loopbackOnly ? "localhost, 127.0.0.1 and [::1]" : "loopback names";
  return `this server answers only to ${names} and the allowed hosts`;
}

function listedOrigin(text: string): string {
  const origin = parseOrigin(text);
  if (origin === undefined)
    throw new Error(`${text} is not an origin: write https://name or http://name:port`);
  return origin;
}

function listedHost(text: string): string {
  const host = parseHost(text);
  if (host === undefined) throw new Error(`${text} is not a host: write name or name:port`);
  return host.port === "" ? host.name : `${host.name}:${host.port}`;
}
