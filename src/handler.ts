import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Identify } from "./auth/authenticate.ts";
import type { Config } from "./config.ts";
import type { Core } from "./core/types.ts";
import { createConsoleHandler } from "./http/console.ts";
import { createGuard } from "./http/guard.ts";
import type { HttpHandler } from "./http/listener.ts";
import { answerNotFound, createRestHandler } from "./http/rest.ts";
import { createRpcHandler, type NodeHandler } from "./rpc/routes.ts";

/** What requests are answered with. */
export interface HandlerOptions {
  readonly config: Config;
  readonly core: Core;
  readonly identify: Identify;
  readonly logger: Logger;
  /** Aborts when the server begins to stop. */
  readonly stopping: AbortSignal;
  /** False while the store's file is not where it was: another process had better be asked. */
  readonly storeIntact: () => boolean;
}

/** Where scripts/web/build.ts puts the console. */
const CONSOLE_DIR = join(import.meta.dirname, "../web/dist");

/** Makes the one handler of the port: guard, then RPC, then the console, then REST, then 404. */
export function createHandler(options: HandlerOptions): HttpHandler {
  const { config, core, identify, logger, stopping, storeIntact } = options;
  const { allowedOrigins, allowedHosts } = config.server;
  const guard = createGuard({ allowedOrigins, allowedHosts, loopbackOnly: !config.auth.required });
  const ready = () => !stopping.aborted && storeIntact();
  const rest = createRestHandler({
    core,
    identify,
    ready,
    logger,
  });
  const webConsole = createConsoleHandler({ dir: CONSOLE_DIR });
  const rpc: NodeHandler = createRpcHandler({
    core,
    identify,
    ready,
    stopping,
    onInternalError: (error) => logger.error({ err: error }, "internal error"),
    fallback(req, res) {
      // Both listeners hand out node:http's shapes; connect-node's types only widen them.
      const request = req as IncomingMessage;
      const response = res as ServerResponse;
      if (!webConsole(request, response) && !rest(request, response)) answerNotFound(response);
    },
  });
  return (req, res) => {
    if (guard(req, res)) rpc(req, res);
  };
}
