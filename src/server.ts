import { type Logger, pino } from "pino";
import { dial, type LimitedLogger, limitLogger, limits } from "@valinor/protocol";
import { type Authenticator, createAuthenticator, localAuthenticator } from "./auth/authenticate.ts";
import type { Config } from "./config.ts";
import { addressAllowed } from "./config/allowed.ts";
import { type Audit, createAudit } from "./core/audit/audit.ts";
import { createCore } from "./core/core.ts";
import { ValinorError } from "./core/errors.ts";
import { createLifecycle, type Lifecycle } from "./core/lifecycle.ts";
import type { Core } from "./core/types.ts";
import { addressOf } from "./fleet/address.ts";
import { Fleet } from "./fleet/fleet.ts";
import { type LinkLog, linkLogTo } from "./fleet/link-log.ts";
import { UnexpectedErrors } from "./fleet/unexpected.ts";
import { createHandler } from "./handler.ts";
import { createListener, type HttpListener } from "./http/server/listener.ts";
import { Live } from "./live.ts";
import { differences, reloaded } from "./reload.ts";
import { seed } from "./seed.ts";
import { longestStopMs, stopInStages } from "./stopping.ts";
import { openStore } from "./store/open.ts";
import type { Store } from "./store/store.ts";
import type { StoreNews } from "./store/troubles.ts";

/** A control plane that runs. */
export interface ValinorServer {
  /** Where it listens, as `http://HOST:PORT`; `https` if it has a certificate. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /**
   * Takes over what of a configuration can change while it runs; the rest stays as it was. Rejects with Error if something of it can't
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
 * and listens. Rejects, with nothing left open, if the store can't be opened or the port is taken.
 */
export async function startServer(
  config: Config,
  options: { readonly logger?: Logger } = {},
): Promise<ValinorServer> {
  const parts = await openParts(config, options.logger ?? pino({ level: config.log.level }));
  try {
    await seed(config, parts.store, parts.logger);
    const server = new RunningServer(parts);
    await parts.fleet.start();
    await server.listen();
    return server;
  } catch (error) {
    await closeParts(parts);
    throw error;
  }
}

/** What a server is made of. */
interface Parts {
  readonly logger: Logger;
  /** For what clients can cause as often as they like. */
  readonly clientLog: LimitedLogger;
  readonly live: Live;
  readonly store: Store;
  /** False while the store's file is not where it was. */
  readonly storeIntact: () => boolean;
  readonly fleet: Fleet;
  readonly linkLog: LinkLog;
  readonly errors: UnexpectedErrors;
  readonly audit: Audit;
  readonly lifecycle: Lifecycle;
}

async function openParts(config: Config, logger: Logger): Promise<Parts> {
  let isIntact = true;
  const store = await openStore(config.store, (news) => {
    if (news.what === "file") isIntact = news.works;
    tellStoreNews(logger, news);
  });
  const live = new Live(config);
  const linkLog = linkLogTo(logger);
  const errors = new UnexpectedErrors(logger);
  const onError = (error: unknown) => logger.error({ err: error }, "the audit log could not be written");
  return {
    logger,
    clientLog: limitLogger(logger),
    live,
    store,
    storeIntact: () => isIntact,
    fleet: makeFleet(live, store, { logger, linkLog, errors }),
    linkLog,
    errors,
    audit: createAudit({ store, onError }),
    lifecycle: createLifecycle(),
  };
}

async function closeParts({ fleet, linkLog, errors, audit, store }: Parts): Promise<void> {
  fleet.close();
  linkLog.flush();
  errors.flush();
  await audit.close();
  await store.close();
}

class RunningServer implements ValinorServer {
  readonly #parts: Parts;
  readonly #authenticator: Authenticator;
  readonly #listener: HttpListener;
  #bound: { readonly host: string; readonly port: number } | undefined;
  #stopped: Promise<void> | undefined;

  constructor(parts: Parts) {
    const { live, store, audit, clientLog, lifecycle, storeIntact } = parts;
    const { auth, server } = live.config;
    const onKeysUnavailable = (error: unknown) =>
      clientLog.error(
        { err: error },
        "the keys of an issuer can't be fetched: its tokens are refused until they can",
      );
    this.#parts = parts;
    this.#authenticator = auth.required
      ? createAuthenticator({ store, audit, ...auth, onKeysUnavailable })
      : localAuthenticator;
    this.#listener = createListener({
      handler: createHandler({
        guard: live.guard,
        core: makeCore(parts),
        identify: this.#authenticator.identify,
        logger: clientLog,
        lifecycle,
        storeIntact,
      }),
      logger: clientLog,
      limits: { writeStallMs: limits.clientStallMs },
      tls: server.tls,
    });
  }

  /** Begins to listen where the configuration says. Rejects if the port is taken. */
  async listen(): Promise<void> {
    const { live, logger, fleet } = this.#parts;
    const { server, auth } = live.config;
    const { host, port, hosts } = await this.#listener.listen(server.host, server.port);
    this.#bound = { host, port };
    const where = { url: this.url, ...(hosts.length > 1 && { hosts }) };
    logger.info({ ...where, authentication: auth.required, ...fleet.counts() }, "listening");
  }

  get url(): string {
    const { host, port } = this;
    const scheme = this.#parts.live.config.server.tls === undefined ? "http" : "https";
    return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  get host(): string {
    return this.#bound?.host ?? "";
  }

  get port(): number {
    return this.#bound?.port ?? 0;
  }

  async reload(read: Config): Promise<Reloaded> {
    const { live, lifecycle, logger, store } = this.#parts;
    const before = live.config;
    const next = reloaded(before, read);
    if (lifecycle.reached("leaving")) return { changed: [], needRestart: [] };
    if (next.server.tls !== undefined) this.#listener.useCertificate(next.server.tls);
    this.#authenticator.reload(next.auth);
    live.replace(next);
    logger.level = next.log.level;
    await seed(next, store, logger).catch((error: unknown) =>
      logger.error({ err: error }, "agents of the configuration could not be looked up or created"),
    );
    return { changed: differences(before, next), needRestart: differences(next, read) };
  }

  close(hurry: AbortSignal = new AbortController().signal): Promise<void> {
    return (this.#stopped ??= this.#stop(hurry));
  }

  longestStopMs(): number {
    return longestStopMs(this.#parts.live.config.server);
  }

  async #stop(hurry: AbortSignal): Promise<void> {
    const { live, lifecycle, logger, clientLog } = this.#parts;
    const info = (fields: object, text: string) => logger.info(fields, text);
    await stopInStages({ ...live.config.server, lifecycle, listener: this.#listener, hurry, info });
    await closeParts(this.#parts);
    clientLog.flush();
    logger.info("stopped");
  }
}

function makeCore({ store, fleet, audit, live, lifecycle, errors, clientLog }: Parts): Core {
  return createCore({
    store,
    fleet,
    vault: live.vault,
    audit,
    quota: live.quota,
    get messageMs() {
      return live.config.proxy.messageTimeoutMs;
    },
    configMs: live.config.proxy.configTimeoutMs,
    lifecycle,
    onShed: ({ caller }, bytes) =>
      clientLog.warn(
        { tenant: caller.tenant, credential: caller.credential, bytes },
        "a stream was ended: its client does not read, and too much waits for such clients",
      ),
    onUnheardError: (error, text) => errors.note(text, error),
    checkAddress: (address) => checkAddress(live.config, address),
  });
}

/** Comes once a minute while something fails. */
function tellStoreNews(logger: Logger, { what, works, detail, failures }: StoreNews): void {
  if (works) logger.info({ store: what, failures }, "the store works again");
  else logger.error({ store: what, failures, detail }, "the store fails");
}

function makeFleet(
  live: Live,
  store: Store,
  { logger, linkLog, errors }: Pick<Parts, "logger" | "linkLog" | "errors">,
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

function checkAddress(config: Config, address: string): void {
  if (addressAllowed(config.proxy.allowedAddresses, address)) return;
  const allowed = config.proxy.allowedAddresses.join(", ");
  throw new ValinorError(
    "INVALID_ARGUMENT",
    `address ${JSON.stringify(address)} is not in proxy.allowed_addresses: ${allowed}`,
  );
}
