import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { join } from "node:path";
import type { Identify } from "./auth/authenticate.ts";
import type { Lifecycle } from "./core/lifecycle.ts";
import type { Core } from "./core/types.ts";
import { createConsoleHandler } from "./http/console/console.ts";
import type { Guard } from "./http/guard/guard.ts";
import type { HttpHandler, HttpLogger } from "./http/server/listener.ts";
import { answerNotFound, createRestHandler } from "./http/api.ts";
import { letThrough } from "./http/guard/preview.ts";
import { normalizeTarget } from "./http/guard/target.ts";
import { createRpcHandler } from "./rpc/routes.ts";

/** What requests are answered with. */
export interface HandlerOptions {
  readonly guard: Guard;
  readonly core: Core;
  readonly identify: Identify;
  readonly logger: HttpLogger;
  readonly lifecycle: Lifecycle;
  /** False while the store's file is not where it was: another process had better be asked. */
  readonly storeIntact: () => boolean;
  /** As for `createRpcHandler`. */
  readonly direct?: boolean;
}

/** Where scripts/web/build.ts puts the console, from here or from the bundle. */
const CONSOLE_DIR = join(
  import.meta.dirname,
  import.meta.url.endsWith(".ts") ? "../web/dist" : "../../web/dist",
);

/** Makes the one handler of the port: guard, then RPC, then the console, then REST, then 404. */
export function createHandler(options: HandlerOptions): HttpHandler {
  const { guard, core, identify, logger, lifecycle, storeIntact, direct } = options;
  const ready = () => !lifecycle.reached("leaving") && storeIntact();
  const draining = new AbortController();
  lifecycle.on("draining", () => draining.abort());
  const rest = createRestHandler({
    core,
    identify,
    ready,
    logger,
    lifecycle,
  });
  const webConsole = createConsoleHandler({ dir: CONSOLE_DIR });
  const rpc = createRpcHandler({
    ...(direct !== undefined && { direct }),
    core,
    identify,
    ready,
    stopping: draining.signal,
    lifecycle,
    onInternalError: (error) => logger.error({ err: error }, "internal error"),
    fallback(req, res) {
      // Both listeners hand out node:http's shapes; connect-node's types only widen them.
      const request = req as IncomingMessage;
      const response = res as ServerResponse;
      if (!webConsole(request, response) && !rest(request, response)) answerNotFound(response, request.url);
    },
  });
  const handle: HttpHandler = (req, res) => {
    normalizeTarget(req);
    if (!guard(req, res)) return;
    // Connect makes a URL of it, which HTTP/1.0 may leave unnamed.
    if (req.headers[":authority"] === undefined) req.headers.host ??= "localhost";
    rpc(req, res);
  };
  return Object.assign(handle, {
    onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: string[]) => {
      const begin = rpc.onStream(stream, headers);
      const more = begin && letThrough(guard, headers, rawHeaders);
      return more && (() => begin(more));
    },
  });
}
