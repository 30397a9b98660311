import type { Config } from "./config.ts";

/** The keys of the file, and what of a configuration each one decides. */
const rows: readonly (readonly [name: string, of: (config: Config) => unknown])[] = [
  ["proxy.transport", ({ proxy }) => proxy.transport],
  ["proxy.tcp_base_port", ({ proxy }) => proxy.tcpBasePort],
  ["proxy.hybrid_path", ({ proxy }) => proxy.hybridPath],
  ["proxy.guest_port", ({ proxy }) => proxy.guestPort],
  ["proxy.message_timeout", ({ proxy }) => proxy.messageTimeoutMs],
  ["proxy.config_timeout", ({ proxy }) => proxy.configTimeoutMs],
  ["proxy.ping_timeout", ({ proxy }) => proxy.pingTimeoutMs],
  ["proxy.guest_token_file", ({ proxy }) => proxy.guestToken],
  ["proxy.allowed_addresses", ({ proxy }) => proxy.allowedAddresses],
  ["server.host", ({ server }) => server.host],
  ["server.port", ({ server }) => server.port],
  ["server.allowed_origins", ({ server }) => server.allowedOrigins],
  ["server.allowed_hosts", ({ server }) => server.allowedHosts],
  ["server.notice_seconds", ({ server }) => server.noticeMs],
  ["server.drain_seconds", ({ server }) => server.drainMs],
  ["server.tls_cert_file", ({ server }) => server.tls?.cert],
  ["server.tls_key_file", ({ server }) => server.tls?.key],
  ["auth.api_keys", ({ auth }) => auth.apiKeys],
  ["auth.issuers", ({ auth }) => auth.issuers],
  ["quotas", ({ quotas }) => quotas],
  ["secrets", ({ secretKeys }) => secretKeys.map((key) => key.toString("hex"))],
  ["store.url", ({ store }) => store],
  ["store.refresh_seconds", ({ refreshMs }) => refreshMs],
  ["log.level", ({ log }) => log.level],
  ["agents", ({ agents }) => agents],
];

/** Every key of the file, or its section, that is compared; for the test that none is left out. */
export const comparedKeys: readonly string[] = rows.map(([name]) => name);

/** Keys of the file whose values differ: names alone, as values may be secrets. */
export function differences(one: Config, other: Config): string[] {
  return rows.filter(([, of]) => JSON.stringify(of(one)) !== JSON.stringify(of(other))).map(([name]) => name);
}

/**
 * What a server that runs with `current` makes of `next` without a restart: where it listens, its store, how agents are reached, and
 * whether there are TLS and authentication at all stay as they are.
 */
export function reloaded(current: Config, next: Config): Config {
  const { guestToken, messageTimeoutMs, allowedAddresses } = next.proxy;
  const { allowedOrigins, allowedHosts, noticeMs, drainMs } = next.server;
  const tls = current.server.tls === undefined ? undefined : (next.server.tls ?? current.server.tls);
  return {
    ...current,
    proxy: { ...current.proxy, guestToken, messageTimeoutMs, allowedAddresses },
    server: { ...current.server, allowedOrigins, allowedHosts, noticeMs, drainMs, tls },
    auth: next.auth.required === current.auth.required ? next.auth : current.auth,
    quotas: next.quotas,
    secretKeys: next.secretKeys,
    log: next.log,
    agents: next.agents,
  };
}
