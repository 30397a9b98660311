import { type Command, Option } from "commander";
import { output, seconds, server } from "../client/options.ts";
import type { Environment } from "../terminal/environment.ts";

/** Adds the command that looks for what is wrong, on this machine and at a server. */
export function addDoctorCommand(program: Command, env: Environment): void {
  server(program.command("doctor"))
    .description("say what is wrong: server, credentials, store, links, OpenClaw, configurations")
    .argument("[agent]", "agent (default: all of them)")
    .option("--config <file>", "the server's configuration file, on the server's machine")
    .addOption(new Option("--timeout <seconds>", "longest wait for an answer").default(5).argParser(seconds))
    .addOption(output())
    .action(async (agent: string | undefined, options: import("./doctor.ts").DoctorOptions) => {
      const { doctor } = await import("./doctor.ts");
      await doctor(agent, options, env);
    });
}
