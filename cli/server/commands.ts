import type { Command } from "commander";
import { port } from "../terminal/port.ts";
import type { Environment } from "../terminal/environment.ts";

/** Adds the command that runs the control plane. Its code is imported when it runs: `--version` and usage errors need none of it. */
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
}
