import { type Command, InvalidArgumentError, Option } from "commander";
import type { Environment } from "./environment.ts";

/** Adds the commands that run programs. Each one's code is imported when it runs: `--version` and usage errors need none of it. */
export function addServerCommands(program: Command, env: Environment): void {
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
    .addOption(
      new Option("--server-kind <kind>", "what OPENCLAW_URL names; auto finds it out")
        .choices(["auto", "openclaw", "openai"])
        .default("auto"),
    )
    .action(async (options: { port?: number; data: string; serverKind: string }) => {
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
}

function port(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535)
    throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return number;
}
