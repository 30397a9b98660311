import { type Command, Option } from "commander";
import type { Environment } from "../../terminal/environment.ts";
import { output, server, waiting, whole } from "../options.ts";

/** Adds `valinor agents ...`. */
export function addAgentsCommands(program: Command, env: Environment): void {
  const agents = program.command("agents").description("list, create, change, delete and watch agents");
  server(agents.command("ls"))
    .description("list the agents")
    .option("--filter <filter>", "such as: status = RUNNING AND id = team-a-*")
    .addOption(output())
    .action(async (options: import("./agents.ts").AgentsLsOptions) => {
      const { agentsLs } = await import("./agents.ts");
      await agentsLs(options, env);
    });
  withFields(server(agents.command("create")))
    .description("add an agent; it is RUNNING unless told otherwise")
    .argument("<id>", "id of the agent")
    .action(async (id: string, options: import("./agents.ts").AgentFieldOptions) => {
      const { agentsCreate } = await import("./agents.ts");
      await agentsCreate(id, options, env);
    });
  withFields(server(agents.command("set")))
    .description("change an agent's status, address or CID")
    .argument("<agent>", "agent")
    .action(async (id: string, options: import("./agents.ts").AgentFieldOptions) => {
      const { agentsSet } = await import("./agents.ts");
      await agentsSet(id, options, env);
    });
  server(agents.command("rm"))
    .description("delete an agent, with its configurations and context")
    .argument("<agent>", "agent")
    .option("--yes", "do not ask")
    .action(async (id: string, options: import("./agents.ts").AgentsRmOptions) => {
      const { agentsRm } = await import("./agents.ts");
      await agentsRm(id, options, env);
    });
  server(agents.command("watch"))
    .description("print the agents, and then each change of one, until Ctrl-C")
    .addOption(output())
    .action(async (options: import("./agents-watch.ts").AgentsWatchOptions) => {
      const { agentsWatch } = await import("./agents-watch.ts");
      await agentsWatch(options, env);
    });
}

/** Adds `valinor config ...` and `valinor context ...`. */
export function addConfigCommands(program: Command, env: Environment): void {
  const config = program.command("config").description("read, push and roll back agents' configurations");
  server(config.command("get"))
    .description("print a configuration, as config push takes it")
    .argument("<agent>", "agent")
    .option("--revision <number>", "an older one (default: the newest)", whole(1))
    .addOption(output())
    .action(async (agent: string, options: import("../config/show.ts").ConfigGetOptions) => {
      const { configGet } = await import("../config/show.ts");
      await configGet(agent, options, env);
    });
  addPush(config, env);
  server(config.command("history"))
    .description("list the configurations that an agent has had, the newest first")
    .argument("<agent>", "agent")
    .addOption(output())
    .action(async (agent: string, options: import("../config/show.ts").ConfigHistoryOptions) => {
      const { configHistory } = await import("../config/show.ts");
      await configHistory(agent, options, env);
    });
  waiting(server(config.command("rollback")))
    .description("make an old configuration the newest, and wait until the agent has applied it")
    .argument("<agent>", "agent")
    .argument("<revision>", "revision to go back to", whole(1))
    .addOption(expectedRevision())
    .addOption(output())
    .action(
      async (agent: string, revision: number, options: import("../config/push.ts").ConfigRollbackOptions) => {
        const { configRollback } = await import("../config/push.ts");
        await configRollback(agent, revision, options, env);
      },
    );
  addContext(program, env);
}

function addPush(config: Command, env: Environment): void {
  waiting(server(config.command("push")))
    .description("replace an agent's configuration, and wait until the agent has applied it")
    .argument("<agent>", "agent")
    .argument("<file>", "JSON (.json) or YAML; - for stdin")
    .addOption(new Option("--policy <mode>", "all: the agent may use every tool").choices(["all"]))
    .option("--tools <list>", "comma-separated list of the only tools the agent may use")
    .option("--no-tools", "the agent may use no tool (default: tools stay as they are)")
    .addOption(expectedRevision())
    .addOption(output())
    .action(async (agent: string, file: string, options: import("../config/push.ts").ConfigPushOptions) => {
      const { configPush } = await import("../config/push.ts");
      await configPush(agent, file, options, env);
    });
}

function addContext(program: Command, env: Environment): void {
  const context = program.command("context").description("set what an agent sees with every message");
  waiting(server(context.command("push")))
    .description(
      "set an entry of an agent's context, and wait until the agent has it; an empty text removes it",
    )
    .argument("<agent>", "agent")
    .argument("[text]", "text; - or none: stdin")
    .option("--key <key>", "name of the entry (default: the default entry)")
    .option("--file <file>", "read the text from a file")
    .addOption(output())
    .action(
      async (agent: string, text: string | undefined, options: import("./context.ts").ContextPushOptions) => {
        const { contextPush } = await import("./context.ts");
        await contextPush(agent, text, options, env);
      },
    );
}

function withFields(command: Command): Command {
  return command
    .option(
      "--address <address>",
      "tcp://HOST:PORT, unix:///PATH, unix:///PATH?port=PORT or vsock://CID:PORT",
    )
    .option("--cid <number>", "vsock context ID (CID) of its machine; 0 for none", whole(0))
    .option("--status <status>", "provisioning, running, stopped or failed")
    .addOption(output());
}

function expectedRevision(): Option {
  return new Option("--expected-revision <number>", "fail if another revision is the newest").argParser(
    whole(1),
  );
}
