import { type AddCommands, type Environment, runCommand } from "@valinor/cli";
import { addDevCommands } from "@valinor/dev";

/** The agent has flags of its own: this stands in the help alone. */
const addAgentCommand: AddCommands = (program) => {
  program
    .command("agent")
    .description("run the in-guest agent: the same as valinor-agent, with its flags")
    .helpOption(false);
};

/**
 * Runs the `valinor` command and ends the process with its exit code. `valinor agent` runs until the agent itself ends the process.
 */
export async function main(argv: readonly string[], env: Environment): Promise<void> {
  // Its flags pass untouched, `--help` and `--version` included.
  if (argv[0] === "agent") {
    const agent = await import("@valinor/agent");
    await agent.main(argv.slice(1));
    return;
  }
  process.exit(await runCommand(argv, env, addDevCommands, addAgentCommand));
}
