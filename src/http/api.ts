import type { IncomingMessage, ServerResponse } from "node:http";
import { type Identify, TENANT_HEADER } from "../auth/authenticate.ts";
import { notFoundMessage, tidyPath } from "../core/edge.ts";
import { toValinorError, type ValinorError } from "../core/errors.ts";
import { type Lifecycle, untilCut } from "../core/lifecycle.ts";
import type { Core } from "../core/types.ts";
import { limits } from "@valinor/protocol";
import { requestLimits } from "../core/request-limits.ts";
import { agentRoutes } from "./rest/agent-routes.ts";
import { invalid } from "./routing/body.ts";
import { dropClient, watchClient } from "./server/client.ts";
import type { HttpLogger } from "./server/listener.ts";
import { answerNoOpenAIRoute, isOpenAIPath, openaiRoutes } from "./openai/routes.ts";
import { parseQuery, splitTarget } from "./routing/query.ts";
import { writeError, writeJson } from "./routing/json-answer.ts";
import { createRouter, type RouteContext, type RouteMatch, type RouteRow } from "./routing/routes.ts";

/** What the REST API is made of. */
export interface RestOptions {
  readonly core: Core;
  readonly identify: Identify;
  /** Whether the server may be given requests: what `/readyz` says. Default: always. */
  readonly ready?: () => boolean;
  /** Largest request body. Default 1 MiB. */
  readonly maxMessageBytes?: number;
  /** A request body arrives within this many milliseconds. Default 30 s. */
  readonly bodyMs?: number;
  /** A client that takes nothing for this many milliseconds is dropped. Default 30 s. */
  readonly clientStallMs?: number;
  readonly logger?: HttpLogger;
  /** Lets a call end with DRAINING when the server waits for it no longer; default: it never does. */
  readonly lifecycle?: Lifecycle;
}

/** Answers a request and says true; false if the path is not one of the REST API's, and nothing was done. */
export type RestHandler = (req: IncomingMessage, res: ServerResponse) => boolean;

/** Every route of the REST API. Each is in the access table too (src/core/access/authorize.ts). */
export const restRoutes: readonly RouteRow[] = [...agentRoutes, ...openaiRoutes];

/**
 * Makes the REST and SSE API (docs/rest.md): the agents' routes at `/agents` and `/api/v1/agents`, `/healthz` and `/readyz`,
 * and those of OpenAI's clients (docs/openai.md) at `/v1`. It answers every path under `/agents`, `/api/` and `/v1`, unknown ones
 * with 404.
 */
export function createRestHandler(options: RestOptions): RestHandler {
  const find = createRouter(restRoutes);
  const serve = createServe(options);
  return (req, res) => {
    const { path, query } = splitTarget(req.url ?? "/");
    if (path === "/healthz" || path === "/readyz") {
      answerHealth(req, res, path === "/healthz" || (options.ready?.() ?? true));
      return true;
    }
    const match = find(req.method ?? "GET", path);
    const tidy = tidyPath(path);
    if (match.kind === "none" && !isOurs(tidy)) return false;
    if (match.kind === "route") void serve(req, res, match, query);
    else if (isOpenAIPath(tidy)) answerNoOpenAIRoute(req, res, match);
    else answerNoRoute(req, res, match);
    return true;
  };
}

type Serve = (
  req: IncomingMessage,
  res: ServerResponse,
  match: RouteMatch & { kind: "route" },
  query: string,
) => Promise<void>;

function createServe(options: RestOptions): Serve {
  const bounds = {
    body: {
      maxBytes: options.maxMessageBytes ?? requestLimits.restBytes,
      timeoutMs: options.bodyMs ?? requestLimits.restBodyMs,
    },
    clientStallMs: options.clientStallMs ?? limits.clientStallMs,
  };
  const errorOf = (thrown: unknown): ValinorError => {
    const error = toValinorError(thrown);
    if (error.reason === "INTERNAL") options.logger?.error({ err: error.cause ?? error }, "a request failed");
    return error;
  };
  return async (req, res, { row, agentId }, query) => {
    const client = watchClient(res);
    try {
      const identified = options.identify(req.headers.authorization, tenantOf(req));
      // Nearly always it is known at once: a wait for nothing costs a turn of the queue for each call.
      const known = identified instanceof Promise ? await identified : identified;
      if (agentId === "") throw invalid("the path names no agent", "id is required");
      const method = req.method === "HEAD" ? "GET" : (req.method ?? "GET");
      const admitted = options.core.admit(known, `${method} ${row.path}`, agentId);
      const caller = admitted instanceof Promise ? await admitted : admitted;
      const context: RouteContext = {
        core: options.core,
        caller,
        agentId: agentId ?? "",
        query: parseQuery(query),
        req,
        res,
        client,
        options: bounds,
        errorOf,
      };
      await untilCut(options.lifecycle, row.route(context));
    } catch (thrown) {
      const error = errorOf(thrown);
      (row.fail ?? writeError)(res, error, req);
      // Nothing can be said any more if the response has begun: an end that is cut off is never taken for a success.
      if (res.headersSent && !res.writableEnded) dropClient(res);
    }
  };
}

function tenantOf(req: IncomingMessage): string | undefined {
  const value = req.headers[TENANT_HEADER];
  return Array.isArray(value) ? value.join(", ") : value;
}

/** Answers 404 in JSON: for what no handler of the server knows. */
export function answerNotFound(res: ServerResponse, target = "/"): void {
  const message = notFoundMessage(splitTarget(target).path);
  writeJson(res, 404, { error: "not found", reason: "NOT_FOUND", message });
}

function answerNoRoute(
  req: IncomingMessage,
  res: ServerResponse,
  match: Exclude<RouteMatch, { kind: "route" }>,
): void {
  if (match.kind === "none") return answerNotFound(res, req.url);
  if (match.kind === "malformed") {
    return writeError(res, invalid("the path has a broken percent-encoding", "malformed url"));
  }
  answerWrongMethod(res, match.allow);
}

function answerWrongMethod(res: ServerResponse, allow: string): void {
  const body = { error: "method not allowed", reason: "METHOD_NOT_ALLOWED", message: `use ${allow}` };
  writeJson(res, 405, body, { allow });
}

function answerHealth(req: IncomingMessage, res: ServerResponse, good: boolean): void {
  if (req.method !== "GET" && req.method !== "HEAD") return answerWrongMethod(res, "GET, HEAD");
  const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  res.writeHead(good ? 200 : 503, headers).end(good ? "ok\n" : "not ready\n");
}

function isOurs(path: string): boolean {
  return ["/agents", "/api", "/v1"].some((root) => path === root || path.startsWith(`${root}/`));
}
