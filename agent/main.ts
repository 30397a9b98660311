import { type Agent, startAgent } from "./agent.ts";
import { type Command, parseCommand, USAGE, UsageError } from "./settings/flags.ts";
import { errorText } from "@valinor/protocol";
import { VERSION } from "./version.ts";

/** Exit statuses: the agent could not start, or its command line is wrong. */
const FAILED = 1;
const MISUSED = 2;

/** Time the process has to end by itself after the agent has stopped. */
const EXIT_MS = 1_000;

/**
 * Runs the agent with a command line (without program and script) until it is told to stop, and sets the process's exit
 * status. SIGTERM and SIGINT let runs finish; a second one ends the process at once. Never rejects.
 */
export async function main(argv: string[]): Promise<void> {
  try {
    await run(parseCommand(argv));
  } catch (error) {
    process.stderr.write(`valinor-agent: ${errorText(error)}\n`);
    process.exitCode = error instanceof UsageError ? MISUSED : FAILED;
  }
}

async function run(command: Command): Promise<void> {
  if (command.kind === "help") return void process.stdout.write(USAGE);
  if (command.kind === "version") return void process.stdout.write(`${VERSION}\n`);
  const agent = await startAgent(command.options);
  const stopped = stopOnSignals(agent);
  process.stdout.write(`valinor-agent listening on ${agent.address}\n`);
  await stopped;
  // Everything is closed, so the process ends by itself; should anything still hold it, it ends all the same.
  setTimeout(() => process.exit(0), EXIT_MS).unref();
}

/** Resolves when a signal has stopped the agent. */
function stopOnSignals(agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    let signalled = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (signalled) process.exit(128 + (signal === "SIGINT" ? 2 : 15));
      signalled = true;
      agent.close().then(resolve, reject);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
