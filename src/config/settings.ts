import { isIP } from "node:net";
import { z } from "zod";
import { parseHost } from "../http/guard/origins.ts";
import { isAddressPattern } from "./allowed.ts";
import { ISSUERS_RULE, issuersSchema } from "./issuers.ts";
import { readStoreUrl } from "./store-url.ts";

/** One key of the configuration. docs/config.md lists the same. */
export interface Setting<T> {
  /** Checks a value as the file has it and gives what the program works with. */
  readonly schema: z.ZodType<T>;
  /** How a text of the environment or a flag becomes a value; `json` also means that the file's own structure is taken. */
  readonly form: "text" | "number" | "list" | "flag" | "json";
  /** What may be written, to follow "must be". */
  readonly allowed: string;
  /** Default, as the file would have it. */
  readonly fallback: { readonly serve: unknown; readonly dev: unknown };
  /** The value may hold a secret: no message repeats it. */
  readonly secret: boolean;
}

const UINT32 = 0xffffffff;

/** Every key of the file but `agents`, by section. */
export const settings = {
  proxy: {
    transport: setting(
      z.enum(["tcp", "unix", "hybrid", "vsock"]).optional(),
      "tcp, unix, hybrid or vsock",
      undefined,
      { dev: "tcp" },
    ),
    tcp_base_port: integer(1, 65_535, 9_100),
    hybrid_path: setting(
      z
        .string()
        .regex(/^\/.*\{agent_id\}/)
        .regex(/^([^{}]|\{agent_id\}|\{tenant\})*$/),
      "an absolute path with {agent_id}, and {tenant} if you like",
      "/run/valinor/{agent_id}.sock",
    ),
    guest_port: integer(1, UINT32, 1_024),
    message_timeout: seconds(86_400, 60),
    config_timeout: seconds(600, 5),
    ping_timeout: seconds(60, 3),
    guest_token_file: setting(z.string().min(1).optional(), "the path of a file", undefined),
    allowed_addresses: list(
      z.string().refine(isAddressPattern),
      "patterns such as tcp://127.0.0.1:*, unix:///run/vm/* and vsock://*:1024",
      ["tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://localhost:*", "unix:///run/valinor/**", "vsock://*:*"],
      ["tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://localhost:*", "unix:///**", "vsock://*:*"],
    ),
  },
  server: {
    host: setting(z.string().refine(isHost), "a host name or an IP address, without a port", "127.0.0.1"),
    port: integer(0, 65_535, 8_080),
    allowed_origins: list(
      z.string().refine(isOrigin),
      "origins such as https://app.example.com, without a path",
      [],
    ),
    allowed_hosts: list(
      z.string().refine((text) => parseHost(text) !== undefined),
      "host names as the Host header has them: NAME or NAME:PORT, IPv6 addresses in brackets",
      [],
    ),
    notice_seconds: setting(milliseconds(0, 600).optional(), "a number of seconds from 0 to 600", undefined, {
      form: "number",
    }),
    drain_seconds: setting(milliseconds(0, 3_600), "a number of seconds from 0 to 3600", 30, {
      form: "number",
    }),
    tls_cert_file: setting(z.string().min(1).optional(), "the path of a file", undefined),
    tls_key_file: setting(z.string().min(1).optional(), "the path of a file", undefined),
  },
  auth: {
    api_keys: setting(z.boolean(), "true or false", false, { form: "flag" }),
    issuers: setting(issuersSchema, ISSUERS_RULE, [], { form: "json" }),
  },
  quotas: {
    tenant_requests_per_second: bound(100_000),
    key_requests_per_second: bound(100_000),
    tenant_runs: bound(100_000),
    key_runs: bound(100_000),
  },
  secrets: {
    key_file: setting(z.string().min(1).optional(), "the path of a file", undefined),
    key: setting(z.string().min(1).optional(), "32 bytes in base64 or hexadecimal", undefined, {
      secret: true,
    }),
  },
  store: {
    url: setting(
      z.string().transform(readStoreUrl),
      "sqlite:PATH, sqlite::memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE",
      "sqlite:./.valinor/valinor.db",
      { secret: true },
    ),
    refresh_seconds: seconds(3_600, 5),
  },
  log: {
    level: setting(
      z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
      "trace, debug, info, warn, error, fatal or silent",
      "info",
    ),
  },
} as const;

/** The sections and their keys. */
export type Settings = typeof settings;

/** The checked value of every key. */
export type Values = {
  readonly [S in keyof Settings]: {
    readonly [K in keyof Settings[S]]: Settings[S][K] extends Setting<infer T> ? T : never;
  };
};

function setting<T>(
  schema: z.ZodType<T>,
  allowed: string,
  fallback: unknown,
  options: { form?: Setting<T>["form"]; dev?: unknown; secret?: boolean } = {},
): Setting<T> {
  const { form = "text", dev = fallback, secret = false } = options;
  return { schema, form, allowed, fallback: { serve: fallback, dev }, secret };
}

function integer(min: number, max: number, fallback: number): Setting<number> {
  const schema = z.number().int().min(min).max(max);
  return setting(schema, `a whole number from ${min} to ${max}`, fallback, { form: "number" });
}

/** A bound; 0 means that there is no bound. */
function bound(max: number): Setting<number> {
  return setting(z.number().int().min(0).max(max), `a whole number from 0 (no bound) to ${max}`, 0, {
    form: "number",
  });
}

/** Seconds in the file, milliseconds in the program; more than 0. */
function seconds(max: number, fallback: number): Setting<number> {
  const allowed = `a number of seconds from 0.001 to ${max}`;
  return setting(milliseconds(0.001, max), allowed, fallback, { form: "number" });
}

function milliseconds(min: number, max: number): z.ZodType<number> {
  return z
    .number()
    .min(min)
    .max(max)
    .transform((value) => Math.round(value * 1_000));
}

function list(
  item: z.ZodType<string>,
  allowed: string,
  fallback: readonly string[],
  dev = fallback,
): Setting<readonly string[]> {
  return setting(z.array(item), `a list of ${allowed}`, fallback, { form: "list", dev });
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(text);
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text;
}
