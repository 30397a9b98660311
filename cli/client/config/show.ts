import { stringify } from "yaml";
import {
  ConfigOutcome,
  type ConfigRevision,
  ConfigRevisionSchema,
} from "@valinor/proto/valinor/v1/agent_registry";
import type { Environment } from "../../terminal/environment.ts";
import { CliError } from "../../terminal/errors.ts";
import { formatTable } from "../../terminal/table.ts";
import { messageJson, policyText, timeText } from "../agents/form.ts";
import { cell, note, type OutputForm, writeJson, writeOwn, writeText } from "../output.ts";
import { type ServerOptions, type Session, withServer } from "../session.ts";

/** Servers keep 100 revisions; a newer one may keep more. */
const PAGE = 1_000;
const MAX_PAGES = 100;
/** Changed places that a line of the history names. */
const SHOWN_PATHS = 5;

/** Flags of `valinor config get`. */
export interface ConfigGetOptions extends ServerOptions {
  readonly revision?: number;
  readonly output?: OutputForm;
}

/**
 * Prints a configuration as YAML, as `config push` takes it, and on stderr which one it is; or, as JSON, the whole revision. Secrets read
 * `secret:[redacted]`. Rejects with CliError.
 */
export async function configGet(agentId: string, options: ConfigGetOptions, env: Environment): Promise<void> {
  await withServer(options, env, async (session) => {
    const revision = await findRevision(session, agentId, options.revision);
    if (options.output === "json") return writeJson(messageJson(ConfigRevisionSchema, revision));
    const { author, createTime, toolPolicy } = revision;
    note(
      `# revision ${revision.revision} by ${cell(author)} at ${timeText(createTime)}; ` +
        `tools: ${cell(policyText(toolPolicy))}; ${outcomeText(revision)}`,
    );
    writeText(stringify(revision.config ?? {}));
  });
}

/** Flags of `valinor config history`. */
export interface ConfigHistoryOptions extends ServerOptions {
  readonly output?: OutputForm;
}

/** Prints the revisions that are kept, the newest first. Rejects with CliError. */
export async function configHistory(
  agentId: string,
  options: ConfigHistoryOptions,
  env: Environment,
): Promise<void> {
  await withServer(options, env, async (session) => {
    const revisions: ConfigRevision[] = [];
    for await (const revision of revisionsOf(session, agentId, PAGE)) revisions.push(revision);
    if (options.output === "json")
      return writeJson(revisions.map((revision) => messageJson(ConfigRevisionSchema, revision)));
    const headings = ["REVISION", "TIME", "AUTHOR", "TOOLS", "OUTCOME", "CHANGED"];
    writeOwn(formatTable([headings, ...revisions.map(historyRow)]));
  });
}

/** A revision that is kept; the newest if none is named. */
async function findRevision(session: Session, agentId: string, wanted: number | undefined) {
  for await (const revision of revisionsOf(session, agentId, wanted === undefined ? 1 : PAGE))
    if (wanted === undefined || revision.revision === wanted) return revision;
  throw new CliError(
    `${agentId} has no revision ${wanted ?? 1}, or it is not kept any more\n` +
      `  See valinor config history ${agentId} for those that are.`,
    { exitCode: 4 },
  );
}

async function* revisionsOf(
  session: Session,
  agentId: string,
  pageSize: number,
): AsyncGenerator<ConfigRevision> {
  let pageToken = "";
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page = await session.client.agents.listConfigRevisions(
      { agentId, pageSize, pageToken },
      session.call,
    );
    yield* page.revisions;
    if (page.nextPageToken === "") return;
    pageToken = page.nextPageToken;
  }
}

function historyRow(revision: ConfigRevision): string[] {
  const { changedPaths: paths, rollbackOf } = revision;
  const more = paths.length > SHOWN_PATHS ? ` and ${paths.length - SHOWN_PATHS} more` : "";
  const back = rollbackOf === 0 ? "" : `back to ${rollbackOf}; `;
  return [
    String(revision.revision),
    timeText(revision.createTime),
    revision.author,
    policyText(revision.toolPolicy),
    outcomeText(revision),
    `${back}${paths.slice(0, SHOWN_PATHS).join(" ")}${more}`,
  ].map(cell);
}

function outcomeText({ outcome, outcomeReason }: ConfigRevision): string {
  if (outcome === ConfigOutcome.APPLIED) return "applied";
  return outcome === ConfigOutcome.REFUSED ? `refused: ${outcomeReason}` : "no answer";
}
