import { type Command, Option } from "commander";
import type { Environment } from "../terminal/environment.ts";

/**
 * Adds the commands of the operator. They work on the configured store itself, beside a server that may be running; each one's code is
 * imported when it runs.
 */
export function addAdminCommands(program: Command, env: Environment): void {
  addKeys(program, env);
  addToken(program);
  addTenants(program, env);
  addAudit(program, env);
  addDb(program, env);
}

function withConfig(command: Command): Command {
  return command.option("--config <file>", "the server's configuration file: it names the store");
}

function addKeys(program: Command, env: Environment): void {
  const keys = program.command("keys").description("make, list and revoke API keys");
  withConfig(keys.command("create"))
    .description("make an API key, and print it this once")
    .requiredOption("--tenant <tenant>", "tenant that it belongs to")
    .requiredOption("--subject <name>", "user or service that it stands for")
    .option("--role <role>", "viewer, operator, admin or platform")
    .option("--permissions <list>", "comma-separated list of permissions, in place of a role")
    .option("--label <text>", "what it is for")
    .option("--expires <duration>", "such as 12h or 90d (default: never)")
    .action(async (options: import("./keys.ts").KeysCreateOptions) => {
      const { keysCreate } = await import("./keys.ts");
      await keysCreate(options, env);
    });
  withConfig(keys.command("list"))
    .description("list API keys; never their secrets")
    .option("--tenant <tenant>", "only those of this tenant")
    .addOption(output())
    .action(async (options: import("./keys.ts").KeysListOptions) => {
      const { keysList } = await import("./keys.ts");
      await keysList(options, env);
    });
  withConfig(keys.command("revoke"))
    .description("revoke an API key; servers refuse it within 10 seconds")
    .argument("<id>", "the key's id")
    .action(async (id: string, options: import("./keys.ts").KeysOptions) => {
      const { keysRevoke } = await import("./keys.ts");
      await keysRevoke(id, options, env);
    });
}

function addToken(program: Command): void {
  program
    .command("token")
    .description("sign a JSON web token for development, and say how to have a server take it")
    .requiredOption("--tenant <tenant>", "tenant")
    .requiredOption("--subject <name>", "user or service")
    .requiredOption("--role <role>", "viewer, operator, admin or platform")
    .option("--expires <duration>", "such as 30m or 12h", "1h")
    .option("--dir <dir>", "directory of the signing key, made if there is none", ".valinor/auth")
    .action(async (options: import("./token.ts").TokenOptions) => {
      const { token } = await import("./token.ts");
      await token(options);
    });
}

function addTenants(program: Command, env: Environment): void {
  const tenants = program.command("tenants").description("delete all that a tenant has");
  withConfig(tenants.command("delete"))
    .description("delete a tenant's agents, configurations, contexts and API keys, for good")
    .argument("<tenant>", "tenant")
    .option("--yes", "do not ask")
    .action(async (tenant: string, options: import("./tenants.ts").TenantsDeleteOptions) => {
      const { tenantsDelete } = await import("./tenants.ts");
      await tenantsDelete(tenant, options, env);
    });
}

function addAudit(program: Command, env: Environment): void {
  const audit = program.command("audit").description("read the audit log");
  withConfig(audit.command("export"))
    .description("print the audit log as JSON lines, the oldest entry first")
    .option("--tenant <tenant>", "only those of this tenant")
    .option("--since <time>", "from then on, such as 2026-05-01 or 2026-05-01T12:00:00Z")
    .option("--until <time>", "before then")
    .option("--follow", "go on with new entries")
    .action(async (options: import("./audit.ts").AuditExportOptions) => {
      const { auditExport } = await import("./audit.ts");
      await auditExport(options, env);
    });
}

function addDb(program: Command, env: Environment): void {
  const db = program.command("db").description("migrate, save and restore the store");
  withConfig(db.command("migrate"))
    .description("bring the store's schema up to date, as serve does when it starts")
    .action(async (options: import("./db.ts").DbOptions) => {
      const { dbMigrate } = await import("./db.ts");
      await dbMigrate(options, env);
    });
  withConfig(db.command("backup"))
    .description("save a SQLite store to a new file, while servers use it")
    .argument("<file>", "file to make")
    .action(async (file: string, options: import("./db.ts").DbOptions) => {
      const { dbBackup } = await import("./db.ts");
      await dbBackup(file, options, env);
    });
  withConfig(db.command("restore"))
    .description("make a saved file the SQLite store, which nobody may use meanwhile")
    .argument("<file>", "file that backup made")
    .option("--force", "replace the store that is there")
    .action(async (file: string, options: import("./db.ts").DbRestoreOptions) => {
      const { dbRestore } = await import("./db.ts");
      await dbRestore(file, options, env);
    });
}

function output(): Option {
  return new Option("-o, --output <form>", "how to print").choices(["table", "json"]).default("table");
}
