import { Command, CommanderError } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { StoreError } from "../store/store.ts";
import type { Environment } from "./environment.ts";
import { addAdminCommands } from "./admin-commands.ts";
import { addClientCommands } from "./client-commands.ts";
import { CliError, explainStoreError } from "./errors.ts";
import { addServerCommands } from "./server-commands.ts";

/**
 * Runs the `valinor` command and ends the process with its exit code: 0 when all went well, else as ExitCode has it. `valinor agent`
 * runs until the agent itself ends the process.
 */
export async function main(argv: readonly string[], env: Environment): Promise<void> {
  // The agent has flags of its own: they pass untouched, `--help` and `--version` included.
  if (argv[0] === "agent") {
    const agent = await import("../../agent/main.ts");
    await agent.main(argv.slice(1));
    return;
  }
  process.exit(await run(argv, env));
}

async function run(argv: readonly string[], env: Environment): Promise<number> {
  try {
    await commands(env).parseAsync(argv, { from: "user" });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    const error = thrown instanceof StoreError ? explainStoreError(thrown) : thrown;
    if (error instanceof CliError) {
      process.stderr.write(`valinor: ${error.message}\n`);
      return error.exitCode;
    }
    process.stderr.write(
      `valinor: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return 1;
  }
}

function commands(env: Environment): Command {
  const program = new Command("valinor");
  program
    .description("Talk to AI agents that live inside microVMs.")
    .version(manifest.version)
    .showHelpAfterError("(see valinor --help)")
    .exitOverride();
  addServerCommands(program, env);
  addAdminCommands(program, env);
  addClientCommands(program, env);
  return program;
}
