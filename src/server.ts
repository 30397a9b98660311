import { type Logger, pino } from "pino";
import { addressOf } from "./fleet/address.ts";
import { Fleet } from "./fleet/fleet.ts";
import { type LinkLog, linkLogTo } from "./fleet/link-log.ts";
import { UnexpectedErrors } from "./fleet/unexpected.ts";
import { createAuthenticator, localAuthenticator } from "./auth/authenticate.ts";
import type { Config } from "./config.ts";
import { addressAllowed } from "./config/allowed.ts";
import { createAudit } from "./core/audit/audit.ts";
import { createCore } from "./core/core.ts";
import { ValinorError } from "./core/errors.ts";
import { createLifecycle } from "./core/lifecycle.ts";
import { createQuota, type Quota } from "./core/access/quota.ts";
import { createHandler } from "./handler.ts";
import { createGuard, type Guard } from "./http/guard.ts";
import { createListener } from "./http/server/listener.ts";
import { differences, reloaded } from "./reload.ts";
import { longestStopMs, stopInStages } from "./stopping.ts";
import { openStore } from "./store/open.ts";
import { type Store, StoreError } from "./store/store.ts";
import type { StoreNews } from "./store/troubles.ts";
import { createVault, type Vault } from "./store/vault/vault.ts";
import { dial, limits, limitLogger } from "@valinor/protocol";

/** A control plane that runs. */
export interface ValinorServer {
  /** Where it listens, as `http://HOST:PORT`; `https` where it has a certificate. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /**
   * Takes over what of a configuration can change while it runs; the rest stays as it was. Rejects with Error where something of it can't
   * be used, which a checked configuration makes unlikely. Does nothing while it stops.
   */
  reload(config: Config): Promise<Reloaded>;
  /**
   * Stops in stages: not ready for `server.notice_seconds`, no new run for `server.drain_seconds`, then every stream that is left ends with
   * DRAINING, and everything is closed. `hurry` ends the first two. Runs in the guests go on. Later calls wait for the first.
   */
  close(hurry?: AbortSignal): Promise<void>;
  /** Longest time until `close` has closed every connection, milliseconds; the store's own end comes after. */
  longestStopMs(): number;
}

/** What became of a configuration that was read again: names of keys. */
export interface Reloaded {
  /** What holds now, and did not before. */
  readonly changed: readonly string[];
  /** What differs, and holds after a restart alone. */
  readonly needRestart: readonly string[];
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
  // What clients can cause as often as they like.
  const clientLog = limitLogger(logger);
  let storeIntact = true;
  const store = await openStore(config.store, (news) => {
    if (news.what === "file") storeIntact = news.works;
    tellStoreNews(logger, news);
  });
  const live = createLive(config);
  const { vault } = live;
  const linkLog = linkLogTo(logger);
  const errors = new UnexpectedErrors(logger);
  const fleet = makeFleet(live, store, { logger, linkLog, errors });
  const audit = createAudit({
    store,
    onError: (error) => logger.error({ err: error }, "the audit log could not be written"),
  });
  const lifecycle = createLifecycle();
  const closeAll = async () => {
    fleet.close();
    linkLog.flush();
    errors.flush();
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
      errors,
      quota: live.quota,
      get messageMs() {
        return live.config.proxy.messageTimeoutMs;
      },
      configMs: config.proxy.configTimeoutMs,
      lifecycle,
      onShed: ({ caller }, bytes) =>
        clientLog.warn(
          { tenant: caller.tenant, credential: caller.credential, bytes },
          "a stream was ended: its client does not read, and too much waits for such clients",
        ),
      checkAddress: (address) => checkAddress(live.config, address),
    });
    const authenticator = config.auth.required
      ? createAuthenticator({ store, audit, ...config.auth })
      : localAuthenticator;
    const { identify } = authenticator;
    const handler = createHandler({
      guard: live.guard,
      core,
      identify,
      logger: clientLog,
      lifecycle,
      storeIntact: () => storeIntact,
    });
    const listener = createListener({
      handler,
      logger: clientLog,
      limits: { writeStallMs: limits.clientStallMs },
      tls: config.server.tls,
    });
    await fleet.start();
    const { host, port, hosts } = await listener.listen(config.server.host, config.server.port);
    const scheme = config.server.tls === undefined ? "http" : "https";
    const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
    logger.info(
      { url, ...(hosts.length > 1 && { hosts }), authentication: config.auth.required, ...fleet.counts() },
      "listening",
    );
    const stop = async (hurry: AbortSignal) => {
      const info = (fields: object, text: string) => logger.info(fields, text);
      await stopInStages({ ...live.config.server, lifecycle, listener, hurry, info });
      await closeAll();
      clientLog.flush();
      logger.info("stopped");
    };
    let stopped: Promise<void> | undefined;
    return {
      url,
      host,
      port,
      async reload(read) {
        const before = live.config;
        const next = reloaded(before, read);
        if (lifecycle.reached("leaving")) return { changed: [], needRestart: [] };
        if (next.server.tls !== undefined) listener.useCertificate(next.server.tls);
        authenticator.reload(next.auth);
        live.replace(next);
        logger.level = next.log.level;
        await seed(next, store, logger).catch((error: unknown) =>
          logger.error({ err: error }, "agents of the configuration could not be looked up or created"),
        );
        return { changed: differences(before, next), needRestart: differences(next, read) };
      },
      close: (hurry = new AbortController().signal) => (stopped ??= stop(hurry)),
      longestStopMs: () => longestStopMs(live.config.server),
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

/** A configuration that may be replaced, and what is made of it. */
function createLive(initial: Config) {
  const guardOf = ({ server, auth }: Config) =>
    createGuard({
      allowedOrigins: server.allowedOrigins,
      allowedHosts: server.allowedHosts,
      loopbackOnly: !auth.required,
    });
  let config = initial;
  let guard = guardOf(initial);
  let vault = createVault(initial.secretKeys);
  let quota = createQuota(initial.quotas);
  return {
    get config() {
      return config;
    },
    guard: ((req, res) => guard(req, res)) satisfies Guard,
    vault: {
      seal: (agent, wanted, current) => vault.seal(agent, wanted, current),
      open: (agent, stored) => vault.open(agent, stored),
    } satisfies Vault,
    quota: {
      request: (caller) => quota.request(caller),
      run: (caller) => quota.run(caller),
    } satisfies Quota,
    /** Runs that are read keep their place under the quotas before: new quotas count from now on. */
    replace(next: Config): void {
      guard = guardOf(next);
      vault = createVault(next.secretKeys);
      if (JSON.stringify(next.quotas) !== JSON.stringify(config.quotas)) quota = createQuota(next.quotas);
      config = next;
    },
  };
}

function makeFleet(
  live: ReturnType<typeof createLive>,
  store: Store,
  { logger, linkLog, errors }: { logger: Logger; linkLog: LinkLog; errors: UnexpectedErrors },
): Fleet {
  const { proxy, refreshMs } = live.config;
  return new Fleet({
    store,
    dial,
    addressOf: (agent) => addressOf(agent, proxy),
    openConfig: (key, stored) => live.vault.open(key, stored),
    token: () => live.config.proxy.guestToken,
    pingMs: proxy.pingTimeoutMs,
    configMs: proxy.configTimeoutMs,
    messageMs: proxy.messageTimeoutMs,
    refreshMs,
    onStore(up, detail) {
      if (up) logger.info({ detail }, "the store answers again");
      else logger.error({ detail }, "the store does not answer");
    },
    onLink: (key, up, detail) => linkLog.changed(key, up, detail),
    errors,
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
    `address ${JSON.stringify(address)} is not in proxy.allowed_addresses: ${allowed}`,
  );
}
