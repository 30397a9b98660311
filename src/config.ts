import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { readAgents } from "./config/agents.ts";
import { readConfigFile } from "./config/file.ts";
import { type ConfigFlags, mergeLayers } from "./config/layers.ts";
import type { StoreLocation, Values } from "./config/settings.ts";
import type { NewAgent } from "./store/store.ts";

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
    readonly drainMs: number;
  };
  readonly store: StoreLocation;
  readonly log: { readonly level: Values["log"]["level"] };
  /** Agents to be created where they are missing. */
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

/** Longest secret in `proxy.guest_token_file`. */
const TOKEN_BYTES = 4 * 1024;

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
  checkServer(values.server, mode, problems);
  const proxy = proxyOf(values.proxy, problems);
  const agents = read === undefined ? [] : readAgents(read, proxy, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return { mode, proxy, server: serverOf(values.server), store: values.store.url, log: values.log, agents };
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
    guestToken: values.guest_token_file === undefined ? "" : readToken(values.guest_token_file, problems),
    allowedAddresses: values.allowed_addresses,
  };
}

function serverOf(values: Values["server"]): Config["server"] {
  return {
    host: values.host,
    port: values.port,
    allowedOrigins: values.allowed_origins,
    allowedHosts: values.allowed_hosts,
    drainMs: values.drain_seconds,
  };
}

function checkServer(values: Values["server"], mode: "serve" | "dev", problems: string[]): void {
  if (!isLoopback(values.host)) {
    problems.push(
      `server.host is ${JSON.stringify(values.host)}: must be a loopback address (127.0.0.1, ::1 or localhost), because ` +
        "without authentication whoever reaches the server may do everything; put a proxy that authenticates in front of it",
    );
  }
  if (mode === "dev" && values.allowed_hosts.length > 0) {
    problems.push("server.allowed_hosts: must be empty in dev mode, which answers to loopback names alone");
  }
}

function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/** The file's text without the line end that editors add. */
function readToken(path: string, problems: string[]): string {
  try {
    const token = readFileSync(path, "utf8").trim();
    if (token !== "" && Buffer.byteLength(token) <= TOKEN_BYTES) return token;
    problems.push(`proxy.guest_token_file ${path}: must hold a secret of 1 to ${TOKEN_BYTES} bytes`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    problems.push(`proxy.guest_token_file cannot be read: ${text}`);
  }
  return "";
}
