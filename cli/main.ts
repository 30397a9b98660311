import { Command, CommanderError } from "commander";
import manifest from "./package.json" with { type: "json" };
import type { Environment } from "./terminal/environment.ts";
import { addAdminCommands } from "./server/admin-commands.ts";
import { addClientCommands } from "./client/commands.ts";
import { CliError, explainStoreError, isStoreError } from "./terminal/errors.ts";
import { addDoctorCommand } from "./doctor/commands.ts";
import { addServerCommands } from "./server/commands.ts";

/** Adds commands that another package brings along. */
export type AddCommands = (program: Command, env: Environment) => void;

/** Runs a `valinor` command. Gives its exit code: 0 when all went well, else as ExitCode has it. */
export async function runCommand(
  argv: readonly string[],
  env: Environment,
  ...more: readonly AddCommands[]
): Promise<number> {
  try {
    await commands(env, more).parseAsync(argv, { from: "user" });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    const error = isStoreError(thrown) ? explainStoreError(thrown) : thrown;
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

function commands(env: Environment, more: readonly AddCommands[]): Command {
  const program = new Command("valinor");
  program
    .description("Talk to AI agents that live inside microVMs.")
    .version(manifest.version)
    .showHelpAfterError("(see valinor --help)")
    .exitOverride();
  addServerCommands(program, env);
  for (const add of more) add(program, env);
  addAdminCommands(program, env);
  addClientCommands(program, env);
  addDoctorCommand(program, env);
  return program;
}
