import { fileKeys } from "./auth/jwks.ts";
import type { Issuer } from "./auth/jwt.ts";
import { readAgents } from "./config/agents.ts";
import { readConfigFile } from "./config/file.ts";
import { type ConfigFlags, mergeLayers } from "./config/layers.ts";
import { readSecret, readTls, secretKeysOf } from "./config/secret-files.ts";
import type { Values } from "./config/settings.ts";
import type { StoreLocation } from "./store/open.ts";
import type { NewAgent } from "./store/store.ts";
import { errorText, isLoopback } from "@valinor/protocol";

/** The checked settings of the control plane. docs/config.md describes every key. */
export interface Config {
  readonly mode: "serve" | "dev";
  readonly proxy: {
    /** How agents without an address are reached; undefined: not at all. */
    readonly transport: "tcp" | "unix" | "hybrid" | "vsock" | undefined;
    readonly tcpBasePort: number;
    readonly hybridPath: string;
    readonly guestPort: number;
    readonly messageTimeoutMs: number;
    readonly configTimeoutMs: number;
    readonly pingTimeoutMs: number;
    /** Secret for the link's hello, from `proxy.guest_token_file`; empty: none. */
    readonly guestToken: string;
    /** Patterns for addressAllowed. */
    readonly allowedAddresses: readonly string[];
  };
  readonly server: {
    readonly host: string;
    /** 0: any free one. */
    readonly port: number;
    readonly allowedOrigins: readonly string[];
    /** Names that the Host header may have beside those of loopback, each with or without a port. */
    readonly allowedHosts: readonly string[];
    /** How long the server says that it is not ready before it refuses anything. */
    readonly noticeMs: number;
    readonly drainMs: number;
    /** Certificate chain and private key in PEM; undefined: cleartext. */
    readonly tls: { readonly cert: string; readonly key: string } | undefined;
  };
  readonly auth: {
    readonly apiKeys: boolean;
    readonly issuers: readonly Issuer[];
    /** Whether calls need a credential: there are API keys or issuers. */
    readonly required: boolean;
  };
  /** 0: no bound. */
  readonly quotas: {
    readonly tenantRequestsPerSecond: number;
    readonly keyRequestsPerSecond: number;
    readonly tenantRuns: number;
    readonly keyRuns: number;
  };
  /** Keys for secrets in configurations: the first seals, all open. Empty: none. */
  readonly secretKeys: readonly Buffer[];
  readonly store: StoreLocation;
  /** How often what other processes changed in the store is looked for. */
  readonly refreshMs: number;
  readonly log: { readonly level: Values["log"]["level"] };
  /** Agents to be created if they are missing. */
  readonly agents: readonly NewAgent[];
}

/** The configuration cannot be used. Each problem is a sentence that names the place, the key and what is allowed. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(["the configuration is wrong:", ...problems].join("\n  - "));
    this.problems = problems;
  }
}

/**
 * Reads the configuration: flags over environment (`VALINOR_` and the key, as VALINOR_PROXY_TRANSPORT) over the file (`file`,
 * or else what VALINOR_CONFIG names; none is fine) over defaults. Throws ConfigError with all that is wrong.
 */
export function loadConfig(options: {
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly flags?: ConfigFlags;
  readonly mode: "serve" | "dev";
}): Config {
  const { env, flags = {}, mode } = options;
  const problems: string[] = [];
  const path = options.file ?? (env["VALINOR_CONFIG"] || undefined);
  const read = path === undefined ? undefined : readConfigFile(path);
  if (read !== undefined && "problems" in read) throw new ConfigError(read.problems);
  const values = mergeLayers({ file: read, env, flags, mode }, problems);
  // The checks below need every value: with a problem so far, the agents are looked at for themselves alone.
  if (problems.length > 0) {
    if (read !== undefined) readAgents(read, undefined, problems);
    throw new ConfigError(problems);
  }
  const auth = authOf(values.auth);
  checkServer(values.server, auth, mode, problems);
  checkKeyFiles(auth, problems);
  const server = serverOf(values.server, problems);
  const proxy = proxyOf(values.proxy, problems);
  const secretKeys = secretKeysOf(values.secrets, problems);
  const agents = read === undefined ? [] : readAgents(read, proxy, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    mode,
    proxy,
    server,
    auth,
    quotas: quotasOf(values.quotas),
    secretKeys,
    store: values.store.url,
    refreshMs: values.store.refresh_seconds,
    log: values.log,
    agents,
  };
}

function authOf(values: Values["auth"]): Config["auth"] {
  const { api_keys: apiKeys, issuers } = values;
  return { apiKeys, issuers, required: apiKeys || issuers.length > 0 };
}

function quotasOf(values: Values["quotas"]): Config["quotas"] {
  return {
    tenantRequestsPerSecond: values.tenant_requests_per_second,
    keyRequestsPerSecond: values.key_requests_per_second,
    tenantRuns: values.tenant_runs,
    keyRuns: values.key_runs,
  };
}

function proxyOf(values: Values["proxy"], problems: string[]): Config["proxy"] {
  return {
    transport: values.transport,
    tcpBasePort: values.tcp_base_port,
    hybridPath: values.hybrid_path,
    guestPort: values.guest_port,
    messageTimeoutMs: values.message_timeout,
    configTimeoutMs: values.config_timeout,
    pingTimeoutMs: values.ping_timeout,
    guestToken:
      values.guest_token_file === undefined
        ? ""
        : readSecret("proxy.guest_token_file", values.guest_token_file, problems),
    allowedAddresses: values.allowed_addresses,
  };
}

/** Default notice for whoever sends requests from another machine, such as a load balancer. */
const NOTICE_MS = 5_000;

function serverOf(values: Values["server"], problems: string[]): Config["server"] {
  return {
    tls: readTls(values, problems),
    host: values.host,
    port: values.port,
    allowedOrigins: values.allowed_origins,
    allowedHosts: values.allowed_hosts,
    noticeMs: values.notice_seconds ?? (isLoopback(values.host) ? 0 : NOTICE_MS),
    drainMs: values.drain_seconds,
  };
}

function checkServer(
  values: Values["server"],
  auth: Config["auth"],
  mode: "serve" | "dev",
  problems: string[],
): void {
  if (!isLoopback(values.host) && (!auth.required || mode === "dev")) {
    problems.push(
      `server.host is ${JSON.stringify(values.host)}: must be a loopback address (127.0.0.1, ::1 or localhost), because ` +
        "without authentication whoever reaches the server may do everything; set auth.api_keys or auth.issuers with serve",
    );
  }
  if (mode === "dev" && values.allowed_hosts.length > 0) {
    problems.push("server.allowed_hosts: must be empty in dev mode, which answers to loopback names alone");
  }
}

/** Key sets are read when the server starts: what is wrong with one is told like any other mistake. */
function checkKeyFiles(auth: Config["auth"], problems: string[]): void {
  for (const { issuer, jwksFile } of auth.issuers) {
    try {
      if (jwksFile !== undefined) fileKeys(jwksFile);
    } catch (error) {
      const text = errorText(error);
      problems.push(`auth.issuers ${issuer}: jwks_file: ${text}`);
    }
  }
}
