import type { MessageInitShape } from "@bufbuild/protobuf";
import { ToolPolicy_Mode, type ToolPolicySchema } from "@valinor/proto/valinor/v1/types";
import type { Environment } from "../../terminal/environment.ts";
import { CliError } from "../../terminal/errors.ts";
import { parseConfig } from "./file.ts";
import { type Change, notApplied, type Outcome, untilApplied, type WaitOptions } from "../converge.ts";
import { readFileOrStdin } from "../talk/input.ts";
import { type OutputForm, writeJson, writeOwn } from "../output.ts";
import { type ServerOptions, type Session, withServer } from "../session.ts";

/** Flags of `valinor config push`. */
export interface ConfigPushOptions extends ServerOptions, WaitOptions {
  /** `all`: every tool. */
  readonly policy?: "all";
  /** Comma-separated names; false: no tool. */
  readonly tools?: string | false;
  readonly expectedRevision?: number;
  readonly output?: OutputForm;
}

type Policy = MessageInitShape<typeof ToolPolicySchema>;

/**
 * Stores a configuration from a file or stdin and waits until the agent has applied it. Without a flag for tools, they stay as they
 * are. Rejects with CliError, exit code 3 if it is stored and not applied.
 */
export async function configPush(
  agent: string,
  file: string,
  options: ConfigPushOptions,
  env: Environment,
): Promise<void> {
  const named = policyOf(options);
  await withServer(options, env, async (session) => {
    const config = parseConfig(await readFileOrStdin(file, session.signal), file);
    const expectedRevision = options.expectedRevision ?? 0;
    const policy = named ?? (await currentPolicy(session, agent, expectedRevision));
    const answer = await session.client.pushConfig(
      agent,
      { config, expectedRevision, ...policy },
      session.call,
    );
    await finish(session, agent, answer, options);
  });
}

/** Flags of `valinor config rollback`. */
export interface ConfigRollbackOptions extends ServerOptions, WaitOptions {
  readonly expectedRevision?: number;
  readonly output?: OutputForm;
}

/** Makes an old configuration the newest, and waits as configPush does. Rejects with CliError. */
export async function configRollback(
  agent: string,
  revision: number,
  options: ConfigRollbackOptions,
  env: Environment,
): Promise<void> {
  await withServer(options, env, async (session) => {
    const expectedRevision = options.expectedRevision ?? 0;
    const answer = await session.client.agents.rollbackConfig(
      { agentId: agent, revision, expectedRevision },
      session.call,
    );
    await finish(session, agent, answer, options);
  });
}

async function finish(
  session: Session,
  agentId: string,
  answer: Outcome & { readonly revision: number },
  options: WaitOptions & { readonly output?: OutputForm },
): Promise<void> {
  const { revision } = answer;
  const change: Change = { agentId, what: `revision ${revision}`, revision };
  const outcome = await untilApplied(session, change, answer, options);
  if (options.output === "json")
    writeJson({ agent_id: agentId, revision, applied: outcome.applied, reason: outcome.reason });
  else if (outcome.applied) writeOwn(`revision ${revision} is applied\n`);
  if (!outcome.applied) throw notApplied(change, outcome);
}

/** What the flags say of tools; undefined if they say nothing. Throws CliError. */
function policyOf({ policy, tools }: ConfigPushOptions): { toolPolicy: Policy } | undefined {
  if (policy !== undefined && tools !== undefined)
    throw new CliError("give one of --policy all, --tools and --no-tools", { exitCode: 2 });
  if (policy === "all") return { toolPolicy: { mode: ToolPolicy_Mode.ALL, tools: [] } };
  if (tools === undefined) return undefined;
  const names = tools === false ? [] : tools.split(",").map((name) => name.trim());
  if (names.includes(""))
    throw new CliError("--tools must be a comma-separated list of names; for no tool at all use --no-tools", {
      exitCode: 2,
    });
  return { toolPolicy: { mode: ToolPolicy_Mode.LISTED, tools: names } };
}

/** The policy in force, and the revision that must still be the newest when it is stored again. */
async function currentPolicy(
  session: Session,
  agentId: string,
  expected: number,
): Promise<{ toolPolicy: Policy; expectedRevision: number }> {
  const { revisions } = await session.client.agents.listConfigRevisions(
    { agentId, pageSize: 1 },
    session.call,
  );
  const [newest] = revisions;
  const toolPolicy = newest?.toolPolicy ?? { mode: ToolPolicy_Mode.ALL, tools: [] };
  return { toolPolicy, expectedRevision: expected || (newest?.revision ?? 0) };
}
