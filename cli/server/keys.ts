import {
  makeApiKey,
  parseApiKey,
  defaultRoles,
  isPermission,
  type Permission,
  type KeyRecord,
  type Store,
} from "@valinor/server";
import { cliActor } from "./actor.ts";
import { parseDuration } from "../terminal/duration.ts";
import type { Environment } from "../terminal/environment.ts";
import { CliError } from "../terminal/errors.ts";
import { formatTable } from "../terminal/table.ts";
import { withStore } from "./with-store.ts";
import { isTenant } from "@valinor/protocol";

const PAGE = 500;
const MAX_TEXT = 256;

/** Flags that every `valinor keys` command has. */
export interface KeysOptions {
  /** The server's configuration file: it names the store. */
  readonly config?: string;
}

/** Flags of `valinor keys create`. */
export interface KeysCreateOptions extends KeysOptions {
  readonly tenant: string;
  readonly subject: string;
  /** viewer, operator, admin or platform; this or permissions. */
  readonly role?: string;
  /** Comma-separated permissions. */
  readonly permissions?: string;
  readonly label?: string;
  /** Such as `30d`; absent: never. */
  readonly expires?: string;
}

/**
 * Makes an API key, prints it on stdout, this once, and what is known of it on stderr. Rejects with CliError if a flag is wrong
 * or the store can't be opened.
 */
export async function keysCreate(options: KeysCreateOptions, env: Environment): Promise<void> {
  const { tenant, subject, label = "" } = options;
  if (!isTenant(tenant))
    throw usage("--tenant must be 1 to 63 letters, digits, dots, underscores and hyphens");
  if (subject === "" || subject.length > MAX_TEXT) throw usage("--subject must have 1 to 256 characters");
  if (label.length > MAX_TEXT) throw usage("--label must have 256 characters at most");
  const permissions = permissionsIn(options);
  const expireTime =
    options.expires === undefined
      ? undefined
      : new Date(Date.now() + parseDuration(options.expires, "--expires"));
  const { id, text, sha256 } = makeApiKey();
  const record = await withStore(
    options,
    env,
    (store) => store.createKey({ id, tenant, subject, permissions, sha256, label, expireTime }, cliActor()),
    { make: true },
  );
  process.stderr.write(
    `key ${id} of ${subject} in ${tenant}: ${permissions.join(", ")}; ` +
      `${expireTime === undefined ? "does not expire" : `expires ${timeOf(record.expireTime)}`}\n` +
      "It is shown this once. Revoke it with: valinor keys revoke " +
      `${options.config === undefined ? "" : `--config ${options.config} `}${id}\n`,
  );
  process.stdout.write(`${text}\n`);
}

/** Flags of `valinor keys list`. */
export interface KeysListOptions extends KeysOptions {
  readonly tenant?: string;
  /** Default: a table. */
  readonly output?: "table" | "json";
}

/** Prints the keys, never a secret or a digest: as a table, or as a JSON array. Rejects with CliError. */
export async function keysList(options: KeysListOptions, env: Environment): Promise<void> {
  const records = await withStore(options, env, (store) => allKeys(store, options.tenant));
  if (options.output === "json")
    return void process.stdout.write(`${JSON.stringify(records.map(keyJson), null, 2)}\n`);
  const headings = ["ID", "TENANT", "SUBJECT", "PERMISSIONS", "STATE", "EXPIRES", "LAST USED", "LABEL"];
  process.stdout.write(formatTable([headings, ...records.map(keyRow)]));
}

/**
 * Revokes a key, by its id or as a whole; servers refuse it within 10 seconds. Rejects with CliError if there is no such key, or
 * it is revoked already.
 */
export async function keysRevoke(key: string, options: KeysOptions, env: Environment): Promise<void> {
  const id = parseApiKey(key)?.id ?? key;
  // Whatever was given may be a secret: it is repeated only if it has the form of an id.
  const name = /^[0-9A-Za-z]{1,32}$/.test(id) ? ` ${id}` : "";
  const revoked = await withStore(options, env, (store) => store.revokeKey(id, cliActor()));
  if (!revoked) throw new CliError(`there is no valid key${name}: none has the id, or it is revoked already`);
  process.stderr.write(`key${name} is revoked; servers refuse it within 10 seconds\n`);
}

function permissionsIn({ role, permissions }: KeysCreateOptions): readonly Permission[] {
  if ((role === undefined) === (permissions === undefined))
    throw usage("give one of --role and --permissions");
  if (role !== undefined) {
    const known = Object.hasOwn(defaultRoles, role) ? defaultRoles[role] : undefined;
    if (known === undefined) throw usage(`--role must be one of ${Object.keys(defaultRoles).join(", ")}`);
    return known;
  }
  const names = (permissions ?? "").split(",").map((name) => name.trim());
  return names.map((name) => {
    if (isPermission(name)) return name;
    throw usage("--permissions must be agents:read, agents:write, agents:admin or platform:admin");
  });
}

async function allKeys(store: Store, tenant: string | undefined): Promise<KeyRecord[]> {
  const keys: KeyRecord[] = [];
  for (let afterId = "", more = true; more;) {
    const page = await store.listKeys({ ...(tenant === undefined ? {} : { tenant }), afterId, limit: PAGE });
    keys.push(...page);
    afterId = page.at(-1)?.id ?? "";
    more = page.length === PAGE;
  }
  return keys;
}

function stateOf({ revokeTime, expireTime }: KeyRecord): string {
  if (revokeTime !== undefined) return "revoked";
  return expireTime !== undefined && expireTime.getTime() <= Date.now() ? "expired" : "valid";
}

function keyRow(key: KeyRecord): string[] {
  const { id, tenant, subject, permissions, expireTime, lastUsedTime, label } = key;
  return [
    id,
    tenant,
    subject,
    permissions.join(","),
    stateOf(key),
    expireTime === undefined ? "never" : timeOf(expireTime),
    lastUsedTime === undefined ? "never" : timeOf(lastUsedTime),
    label,
  ].map(printable);
}

function keyJson(key: KeyRecord): object {
  const { id, tenant, subject, permissions, label, createTime, expireTime, revokeTime, lastUsedTime } = key;
  return {
    id,
    tenant,
    subject,
    permissions,
    state: stateOf(key),
    label,
    create_time: createTime,
    expire_time: expireTime ?? null,
    revoke_time: revokeTime ?? null,
    last_used_time: lastUsedTime ?? null,
  };
}

/** Names of tenants' users may hold what a terminal takes for commands. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}

function timeOf(time: Date | undefined): string {
  return time === undefined ? "" : `${time.toISOString().slice(0, 16)}Z`;
}

function usage(message: string): CliError {
  return new CliError(message, { exitCode: 2 });
}
