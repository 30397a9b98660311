import { type Command, InvalidArgumentError } from "commander";
import { addAgentsCommands, addConfigCommands } from "./agents/manage-commands.ts";
import { output, server, whole } from "./options.ts";
import type { Environment } from "../terminal/environment.ts";
import { isName, NAME_RULE } from "@valinor/protocol";

/** Adds the commands that call a server. Each one's code is imported when it runs. */
export function addClientCommands(program: Command, env: Environment): void {
  addTalk(program, env);
  addAgentsCommands(program, env);
  addConfigCommands(program, env);
  addLook(program, env);
  program
    .command("completion")
    .description("print a script that completes commands, options and agents in a shell")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell: string) => {
      const { completion } = await import("./completion/completion.ts");
      completion(shell, program);
    });
}

function addTalk(program: Command, env: Environment): void {
  withMessage(server(program.command("send")))
    .description("send a message, and print the whole answer")
    .addOption(output())
    .action(
      async (agent: string, message: string | undefined, options: import("./talk/send.ts").SendOptions) => {
        const { send } = await import("./talk/send.ts");
        await send(agent, message, options, env);
      },
    );
  withMessage(server(program.command("stream")))
    .description("send a message, and print the answer as it comes")
    .option("--after <number>", "read the run of --request-id, from after this event on", whole(0))
    .addOption(output())
    .action(
      async (
        agent: string,
        message: string | undefined,
        options: import("./talk/stream.ts").StreamCommandOptions,
      ) => {
        const { stream } = await import("./talk/stream.ts");
        await stream(agent, message, options, env);
      },
    );
  server(program.command("chat"))
    .description("talk to an agent, a line a message")
    .argument("<agent>", "agent")
    .option("--conversation <id>", "conversation to go on with (default: a fresh one)", name)
    .option("--allow-stale-config", "also while the agent has not applied its latest configuration")
    .action(async (agent: string, options: import("./talk/chat.ts").ChatOptions) => {
      const { chat } = await import("./talk/chat.ts");
      await chat(agent, options, env);
    });
}

function withMessage(command: Command): Command {
  return command
    .argument("<agent>", "agent")
    .argument("[message]", "text; - or none: stdin")
    .option("--conversation <id>", "conversation that the message belongs to (default: a fresh one)", name)
    .option("--request-id <id>", "name of the run: the same one never runs twice", name)
    .option("--allow-stale-config", "also while the agent has not applied its latest configuration");
}

function addLook(program: Command, env: Environment): void {
  server(program.command("status"))
    .description("print what the server knows of an agent")
    .argument("<agent>", "agent")
    .addOption(output())
    .action(async (agent: string, options: import("./agents/status.ts").StatusOptions) => {
      const { status } = await import("./agents/status.ts");
      await status(agent, options, env);
    });
}

function name(value: string): string {
  if (isName(value)) return value;
  throw new InvalidArgumentError(`It must be ${NAME_RULE}`);
}
