import { Command, CommanderError, InvalidArgumentError } from "commander";
import manifest from "../../package.json" with { type: "json" };
import type { Environment } from "./environment.ts";
import { CliError } from "./errors.ts";

/**
 * Runs the `valinor` command and ends the process with its exit code: 0 when all went well, 1 after a failure, 2 after bad
 * usage or configuration. `valinor agent` runs until the agent itself ends the process.
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
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
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

// Each command's code is imported when it runs: `--version` and usage errors need none of it.
function commands(env: Environment): Command {
  const program = new Command("valinor");
  program
    .description("Talk to AI agents that live inside microVMs.")
    .version(manifest.version)
    .showHelpAfterError("(see valinor --help)")
    .exitOverride();
  program
    .command("serve")
    .description("run the control plane")
    .option("--config <file>", "YAML file with the settings (docs/config.md)")
    .option("--host <host>", "address to listen on")
    .option("--port <number>", "port to listen on, 0 for a free one", port)
    .action(async (options: { config?: string; host?: string; port?: number }) => {
      const { serve } = await import("./serve.ts");
      await serve(options, env);
    });
  program
    .command("dev")
    .description("run everything on this machine: control plane, one agent, a scripted model")
    .option("--port <number>", "port of the control plane, 0 for a free one (default: 8080)", port)
    .option("--data <dir>", "directory for what is kept between runs", ".valinor")
    .action(async (options: { port?: number; data: string }) => {
      const { dev } = await import("./dev.ts");
      await dev(options, env);
    });
  program
    .command("model")
    .description("run the scripted stand-in for a model alone")
    .option("--port <number>", "port to listen on, 0 for a free one", port, 0)
    .action(async (options: { port: number }) => {
      const { serveModel } = await import("./model.ts");
      await serveModel(options);
    });
  program
    .command("agent")
    .description("run the in-guest agent: the same as valinor-agent, with its flags")
    .helpOption(false);
  return program;
}

function port(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535)
    throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return number;
}
