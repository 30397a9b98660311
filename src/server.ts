import type { IncomingMessage, ServerResponse } from "node:http";
import { type Logger, pino } from "pino";
import { addressOf } from "./agents/address.ts";
import { createFleet, type Fleet } from "./agents/fleet.ts";
import type { Config } from "./config.ts";
import { addressAllowed } from "./config/allowed.ts";
import { localCaller } from "./core/authorize.ts";
import { createCore } from "./core/core.ts";
import { ValinorError } from "./core/errors.ts";
import type { Core } from "./core/types.ts";
import { createGuard } from "./http/guard.ts";
import { createListener } from "./http/listener.ts";
import { answerNotFound, createRestHandler } from "./http/rest.ts";
import { createRpcHandler, type NodeHandler } from "./rpc/routes.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import { type Store, StoreError } from "./store/store.ts";
import { dial } from "./transport/dial.ts";
import { limits } from "./wire/limits.ts";

/** A control plane that runs. */
export interface ValinorServer {
  /** Where it listens, as `http://HOST:PORT`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Takes no new run, lets streams end for `server.drain_seconds`, and closes everything. Runs in the guests go on. */
  close(): Promise<void>;
}

/**
 * Starts the control plane: opens the store, creates the configured agents that are missing, dials every agent that is to run,
 * and listens. Rejects, with nothing left open, where the store can't be opened or the port is taken.
 */
export async function startServer(
  config: Config,
  options: { readonly logger?: Logger } = {},
): Promise<ValinorServer> {
  const logger = options.logger ?? pino({ level: config.log.level });
  const store = await openSqliteStore(config.store.path);
  const fleet = makeFleet(config, store, logger);
  let draining = false;
  try {
    await seed(config, store, logger);
    const core = createCore({
      store,
      fleet,
      messageMs: config.proxy.messageTimeoutMs,
      configMs: config.proxy.configTimeoutMs,
      draining: () => draining,
      checkAddress: (address) => checkAddress(config, address),
    });
    const handler = makeHandler(config, core, logger, () => !draining);
    const listener = createListener({ handler, logger, limits: { writeStallMs: limits.clientStallMs } });
    await fleet.start();
    const { host, port } = await listener.listen(config.server.host, config.server.port);
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
    logger.info({ url, ...fleet.counts() }, "listening");
    return {
      url,
      host,
      port,
      async close() {
        if (draining) return;
        draining = true;
        await listener.close(config.server.drainMs);
        fleet.close();
        await store.close();
        logger.info("stopped");
      },
    };
  } catch (error) {
    fleet.close();
    await store.close();
    throw error;
  }
}

function makeFleet(config: Config, store: Store, logger: Logger): Fleet {
  const { proxy } = config;
  return createFleet({
    store,
    dial,
    addressOf: (agent) => addressOf(agent, proxy),
    token: proxy.guestToken,
    pingMs: proxy.pingTimeoutMs,
    configMs: proxy.configTimeoutMs,
    messageMs: proxy.messageTimeoutMs,
    onLink(key, up, detail) {
      logger.info({ tenant: key.tenant, agent: key.id, detail }, up ? "link up" : "link down");
    },
  });
}

/** Creates the agents of the configuration that are missing; those that exist stay as they are. */
async function seed(config: Config, store: Store, logger: Logger): Promise<void> {
  for (const agent of config.agents) {
    if ((await store.getAgent(agent)) !== undefined) continue;
    try {
      await store.createAgent(agent, "config");
      logger.info({ tenant: agent.tenant, agent: agent.id }, "agent created from the configuration");
    } catch (error) {
      // One bad entry must not keep every other agent's control plane from starting.
      if (!(error instanceof StoreError) || error.code === "unavailable") throw error;
      logger.error({ tenant: agent.tenant, agent: agent.id, reason: error.message }, "agent not created");
    }
  }
}

/** Guard, then RPC, then REST, then 404. */
function makeHandler(
  config: Config,
  core: Core,
  logger: Logger,
  ready: () => boolean,
): (req: IncomingMessage, res: ServerResponse) => void {
  const { allowedOrigins, allowedHosts } = config.server;
  const guard = createGuard({ allowedOrigins, allowedHosts, loopbackOnly: true });
  const identify = () => localCaller;
  const rest = createRestHandler({ core, identify, ready, logger });
  const rpc: NodeHandler = createRpcHandler({
    core,
    identify,
    onInternalError: (error) => logger.error({ err: error }, "internal error"),
    fallback(req, res) {
      // Both listeners hand out node:http's shapes; connect-node's types only widen them.
      const response = res as ServerResponse;
      if (!rest(req as IncomingMessage, response)) answerNotFound(response);
    },
  });
  return (req, res) => {
    if (guard(req, res)) rpc(req, res);
  };
}

function checkAddress(config: Config, address: string): void {
  if (addressAllowed(config.proxy.allowedAddresses, address)) return;
  const allowed = config.proxy.allowedAddresses.join(", ");
  throw new ValinorError(
    "INVALID_ARGUMENT",
    `address ${JSON.stringify(address)} is none of proxy.allowed_addresses: ${allowed}`,
  );
}
