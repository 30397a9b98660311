import type { Environment } from "../../terminal/environment.ts";
import { CliError } from "../../terminal/errors.ts";
import { type Change, notApplied, untilApplied, type WaitOptions } from "../converge.ts";
import { readFileOrStdin, readInput } from "../talk/input.ts";
import { type OutputForm, writeJson, writeOwn } from "../output.ts";
import { type ServerOptions, withServer } from "../session.ts";

/** Flags of `valinor context push`. */
export interface ContextPushOptions extends ServerOptions, WaitOptions {
  /** Name of the entry; default: the default entry. */
  readonly key?: string;
  /** File with the text, in place of the argument. */
  readonly file?: string;
  readonly output?: OutputForm;
}

/**
 * Sets an entry of an agent's context, and waits until the agent has it; an empty text removes the entry. Rejects with CliError, exit
 * code 3 if it is stored and not applied.
 */
export async function contextPush(
  agentId: string,
  text: string | undefined,
  options: ContextPushOptions,
  env: Environment,
): Promise<void> {
  const { key = "", file } = options;
  if (text !== undefined && file !== undefined)
    throw new CliError("give the text as an argument or by --file, not both", { exitCode: 2 });
  await withServer(options, env, async (session) => {
    const context =
      file === undefined
        ? await readInput(text, "text", { signal: session.signal })
        : await readFileOrStdin(file, session.signal);
    const first = await session.client.pushContext(agentId, context, key, session.call);
    const change: Change = { agentId, what: key === "" ? "the context" : `the context ${key}`, revision: 0 };
    const outcome = await untilApplied(session, change, first, options);
    if (options.output === "json")
      writeJson({ agent_id: agentId, key, applied: outcome.applied, reason: outcome.reason });
    else if (outcome.applied) writeOwn(`${change.what} is applied\n`);
    if (!outcome.applied) throw notApplied(change, outcome);
  });
}
