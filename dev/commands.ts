import { port, type Environment } from "@valinor/cli";
import { type Command, Option } from "commander";

/** Adds the commands for trying Valinor on one machine. Each one's code is imported when it runs. */
export function addDevCommands(program: Command, env: Environment): void {
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
      const { serveModel } = await import("./model/serve.ts");
      await serveModel(options);
    });
}
