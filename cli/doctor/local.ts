import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Client } from "pg";
import manifest from "../package.json" with { type: "json" };
import { type Config, storeName, type StoreLocation } from "@valinor/server";
import type { Environment } from "../terminal/environment.ts";
import { CliError } from "../terminal/errors.ts";
import { readConfig } from "../server/read-config.ts";
import type { Check } from "./checks.ts";

const VSOCK_DEVICE = "/dev/vsock";
/** Node that dials vsock. */
const VSOCK_NODE = 26;

/** What this program is, and what it runs on. */
export function checkProgram(): Check {
  const detail = `valinor ${manifest.version}, Node ${process.versions.node}, ${process.platform}`;
  return { name: "program", state: "ok", detail };
}

/** Reads the server's configuration, if one is named. */
export function checkConfig(
  file: string | undefined,
  env: Environment,
): { config: Config | undefined; check: Check | undefined } {
  const path = file ?? (env["VALINOR_CONFIG"] || undefined);
  if (path === undefined) return { config: undefined, check: undefined };
  try {
    const config = readConfig({ file: path, env: { ...env }, mode: "serve" });
    return { config, check: { name: "configuration", state: "ok", detail: `${path} is good` } };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const hint = "Correct it: docs/config.md describes every key.";
    const detail = error.message.replaceAll(/\n\s*- /g, " ");
    return { config: undefined, check: { name: "configuration", state: "fail", detail, hint } };
  }
}

/** The URL at which a server with this configuration is reached on this machine. */
export function urlOf({ server }: Config): string {
  const any: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "[::1]" };
  const host = any[server.host] ?? (server.host.includes(":") ? `[${server.host}]` : server.host);
  return `${server.tls === undefined ? "http" : "https"}://${host}:${server.port}`;
}

/** Whether this machine can dial vsock; undefined if nothing is reached by it. The device is not opened. */
export function checkVsock(config: Config, device: string = VSOCK_DEVICE): Check | undefined {
  const wanted =
    config.proxy.transport === "vsock" || config.agents.some(({ address }) => address.startsWith("vsock://"));
  if (!wanted) return undefined;
  if (Number(process.versions.node.split(".", 1)[0]) < VSOCK_NODE) {
    const hint = `Run the server with Node ${VSOCK_NODE} or newer.`;
    return {
      name: "vsock",
      state: "fail",
      detail: `Node ${process.versions.node} does not dial vsock`,
      hint,
    };
  }
  if (existsSync(device)) return { name: "vsock", state: "ok", detail: `${device} is there` };
  return {
    name: "vsock",
    state: "fail",
    detail: `${device} is missing, so that no guest can be reached by vsock`,
    hint:
      "Load the module vhost_vsock (modprobe vhost_vsock) and give a container the device; Firecracker's and Cloud Hypervisor's " +
      "sockets need proxy.transport hybrid in its place.",
  };
}

/** Whether the store can be read. It is neither made nor changed. */
export async function checkStore(location: StoreLocation, ms: number): Promise<Check> {
  const name = await storeName(location);
  try {
    if (location.kind === "postgres") await readPostgres(location.url, ms);
    else if (location.path === ":memory:")
      return { name: "store", state: "warn", detail: "in memory: what it holds is lost with the server" };
    else if (!existsSync(location.path))
      return { name: "store", state: "warn", detail: `${name} is not there yet; the server makes it` };
    else readSqlite(location.path);
    return { name: "store", state: "ok", detail: `${name} can be read` };
  } catch (error) {
    const why = error instanceof Error ? error.message || String(codeOf(error)) : String(error);
    const hint =
      location.kind === "postgres"
        ? "Check that PostgreSQL runs, and store.url: address, user, password, database."
        : "Check the path, and that this user may read and write it.";
    return { name: "store", state: "fail", detail: `${name} can't be read: ${why}`, hint };
  }
}

function readSqlite(path: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.prepare("select count(*) from sqlite_schema").get();
  } finally {
    database.close();
  }
}

async function readPostgres(url: string, ms: number): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: ms, query_timeout: ms });
  // One that breaks while it is closed has nobody to tell.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
  } finally {
    await client.end().catch(() => {}); // the query has told what there is to tell
  }
}

function codeOf(error: Error): unknown {
  return "code" in error ? error.code : error.name;
}
