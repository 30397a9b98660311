import { createInterface } from "node:readline/promises";
import { cliActor } from "./actor.ts";
import type { Environment } from "../terminal/environment.ts";
import { CliError } from "../terminal/errors.ts";
import { withStore } from "./with-store.ts";

/** Flags of `valinor tenants delete`. */
export interface TenantsDeleteOptions {
  /** The server's configuration file: it names the store. */
  readonly config?: string;
  /** Does not ask. */
  readonly yes?: boolean;
}

/**
 * Removes all that a tenant has: agents with their configurations and contexts, and API keys; the audit log stays, and tells of it.
 * Asks for the tenant's name first. Servers drop the agents within `store.refresh_seconds`. Rejects with CliError if there
 * is no terminal to ask at, the answer is another one, or the store fails.
 */
export async function tenantsDelete(
  tenant: string,
  options: TenantsDeleteOptions,
  env: Environment,
): Promise<void> {
  if (options.yes !== true) await confirm(tenant);
  const { agents, keys } = await withStore(options, env, (store) => store.deleteTenant(tenant, cliActor()));
  process.stdout.write(`deleted ${count(agents, "agent")} and ${count(keys, "API key")} of ${tenant}\n`);
}

async function confirm(tenant: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new CliError("there is no terminal to ask at: add --yes to delete all that the tenant has", {
      exitCode: 2,
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const gone = new AbortController();
  terminal.once("close", () => gone.abort()); // Ctrl-C or Ctrl-D
  const question =
    `This deletes every agent, configuration, context and API key of ${tenant}, for good.\n` +
    "Write the tenant's name to go on: ";
  try {
    const answer = await terminal.question(question, gone).catch(() => undefined);
    if (answer?.trim() !== tenant) throw new CliError("that is not its name: nothing was deleted");
  } finally {
    terminal.close();
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
