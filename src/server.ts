import { type Logger, pino } from "pino";
import { addressOf } from "./agents/address.ts";
import { createFleet, type Fleet } from "./agents/fleet.ts";
import { createAuthenticator, localAuthenticator } from "./auth/authenticate.ts";
import type { Config } from "./config.ts";
import { addressAllowed } from "./config/allowed.ts";
import { createAudit } from "./core/audit.ts";
import { createCore } from "./core/core.ts";
import { ValinorError } from "./core/errors.ts";
import { createQuota } from "./core/quota.ts";
import { createHandler } from "./handler.ts";
import { createListener } from "./http/listener.ts";
import { openStore } from "./store/open.ts";
import { type Store, StoreError } from "./store/store.ts";
import type { StoreNews } from "./store/troubles.ts";
import { createVault, type Vault } from "./store/vault.ts";
import { dial } from "./transport/dial.ts";
import { limits } from "./wire/limits.ts";

/** A control plane that runs. */
export interface ValinorServer {
  /** Where it listens, as `http://HOST:PORT`; `https` where it has a certificate. */
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
  let storeIntact = true;
  const store = await openStore(config.store, (news) => {
    if (news.what === "file") storeIntact = news.works;
    tellStoreNews(logger, news);
  });
  const vault = createVault(config.secretKeys);
  const fleet = makeFleet(config, store, vault, logger);
  const audit = createAudit({
    store,
    onError: (error) => logger.error({ err: error }, "the audit log could not be written"),
  });
  const stopping = new AbortController();
  const closeAll = async () => {
    fleet.close();
    await audit.close();
    await store.close();
  };
  try {
    await seed(config, store, logger);
    const core = createCore({
      store,
      fleet,
      vault,
      audit,
      quota: createQuota(config.quotas),
      messageMs: config.proxy.messageTimeoutMs,
      configMs: config.proxy.configTimeoutMs,
      draining: () => stopping.signal.aborted,
      checkAddress: (address) => checkAddress(config, address),
    });
    const { identify } = config.auth.required
      ? createAuthenticator({ store, audit, ...config.auth })
      : localAuthenticator;
    const handler = createHandler({
      config,
      core,
      identify,
      logger,
      stopping: stopping.signal,
      storeIntact: () => storeIntact,
    });
    const listener = createListener({
      handler,
      logger,
      limits: { writeStallMs: limits.clientStallMs },
      tls: config.server.tls,
    });
    await fleet.start();
    const { host, port } = await listener.listen(config.server.host, config.server.port);
    const scheme = config.server.tls === undefined ? "http" : "https";
    const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
    logger.info({ url, authentication: config.auth.required, ...fleet.counts() }, "listening");
    return {
      url,
      host,
      port,
      async close() {
        if (stopping.signal.aborted) return;
        stopping.abort();
        await listener.close(config.server.drainMs);
        await closeAll();
        logger.info("stopped");
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Comes once a minute while something fails. */
function tellStoreNews(logger: Logger, { what, works, detail, failures }: StoreNews): void {
  if (works) logger.info({ store: what, failures }, "the store works again");
  else logger.error({ store: what, failures, detail }, "the store fails");
}

function makeFleet(config: Config, store: Store, vault: Vault, logger: Logger): Fleet {
  const { proxy } = config;
  return createFleet({
    store,
    dial,
    addressOf: (agent) => addressOf(agent, proxy),
    openConfig: (key, stored) => vault.open(key, stored),
    token: proxy.guestToken,
    pingMs: proxy.pingTimeoutMs,
    configMs: proxy.configTimeoutMs,
    messageMs: proxy.messageTimeoutMs,
    refreshMs: config.refreshMs,
    onStore(up, detail) {
      if (up) logger.info({ detail }, "the store answers again");
      else logger.error({ detail }, "the store does not answer");
    },
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
      await store.createAgent(agent, { subject: "config", credential: "config" });
      logger.info({ tenant: agent.tenant, agent: agent.id }, "agent created from the configuration");
    } catch (error) {
      // One bad entry must not keep every other agent's control plane from starting.
      if (!(error instanceof StoreError) || error.code === "unavailable") throw error;
      logger.error({ tenant: agent.tenant, agent: agent.id, reason: error.message }, "agent not created");
    }
  }
}

function checkAddress(config: Config, address: string): void {
  if (addressAllowed(config.proxy.allowedAddresses, address)) return;
  const allowed = config.proxy.allowedAddresses.join(", ");
  throw new ValinorError(
    "INVALID_ARGUMENT",
    `address ${JSON.stringify(address)} is none of proxy.allowed_addresses: ${allowed}`,
  );
}
