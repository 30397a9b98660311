import { expect, it } from "vitest";
import { loadConfig, type Config } from "../src/config.ts";
import { settings } from "../src/config/settings.ts";
import { comparedKeys, differences, reloaded } from "../src/reload.ts";

const base = loadConfig({ env: {}, mode: "serve" });
const withChange = (change: (config: Config) => Partial<Config>): Config => ({ ...base, ...change(base) });

it("a reload takes over what can change while the server runs, and names it", () => {
  const next = withChange(({ server, proxy }) => ({
    server: { ...server, allowedOrigins: ["https://a.test"], drainMs: 1 },
    proxy: { ...proxy, guestToken: "another" },
    log: { level: "debug" },
  }));
  expect(reloaded(base, next)).toEqual(next);
  expect(differences(base, next)).toEqual([
    "proxy.guest_token_file",
    "server.allowed_origins",
    "server.drain_seconds",
    "log.level",
  ]);
});

it("a reload leaves what only a restart can change, and names that", () => {
  const next = withChange(({ server, proxy, auth }) => ({
    server: { ...server, port: 1, tls: { cert: "c", key: "k" } },
    proxy: { ...proxy, transport: "vsock" as const },
    auth: { ...auth, apiKeys: true, required: true },
    refreshMs: 1,
  }));
  const result = reloaded(base, next);
  expect(result).toEqual(base);
  expect(differences(result, next)).toEqual([
    "proxy.transport",
    "server.port",
    "server.tls_cert_file",
    "server.tls_key_file",
    "auth.api_keys",
    "store.refresh_seconds",
  ]);
});

it("a reload never turns TLS off", () => {
  const tls = { cert: "c", key: "k" };
  const before = withChange(({ server }) => ({ server: { ...server, tls } }));
  expect(reloaded(before, base).server.tls).toEqual(tls);
  const renewed = withChange(({ server }) => ({ server: { ...server, tls: { cert: "new", key: "k" } } }));
  expect(reloaded(before, renewed).server.tls?.cert).toBe("new");
});

it("a reload compares every key of the file, so that none changes without a word", () => {
  const keys = Object.entries(settings).flatMap(([section, of]) =>
    Object.keys(of).map((key) => `${section}.${key}`),
  );
  const left = keys.filter((key) => !comparedKeys.some((name) => key === name || key.startsWith(`${name}.`)));
  expect(left).toEqual([]);
});
