import { createInterface } from "node:readline/promises";
import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { type Agent, AgentSchema } from "@valinor/proto/valinor/v1/agent_registry";
import type { Environment } from "../../terminal/environment.ts";
import { CliError } from "../../terminal/errors.ts";
import { formatTable } from "../../terminal/table.ts";
import { configCell, messageJson, parseStatus, problemOf, statusName } from "./form.ts";
import { cell, note, type OutputForm, writeJson, writeOwn } from "../output.ts";
import { type ServerOptions, type Session, withServer } from "../session.ts";

const PAGE = 1_000;
/** A server that never ends its list is not followed further. */
const MAX_PAGES = 10_000;

/** Flags of `valinor agents ls`. */
export interface AgentsLsOptions extends ServerOptions {
  readonly filter?: string;
  readonly output?: OutputForm;
}

/** Prints the agents, all pages of them. Rejects with CliError. */
export async function agentsLs(options: AgentsLsOptions, env: Environment): Promise<void> {
  await withServer(options, env, async (session) => {
    const agents = await allAgents(session, options.filter);
    if (options.output === "json") return writeJson(agents.map((agent) => messageJson(AgentSchema, agent)));
    const headings = ["ID", "STATUS", "LINK", "CONFIG", "OPENCLAW", "RUNS", "ADDRESS", "PROBLEM"];
    writeOwn(formatTable([headings, ...agents.map(agentRow)]));
  });
}

/** Every agent of the tenant that the filter lets through, by id. Rejects as the call does. */
export async function allAgents(session: Session, filter = ""): Promise<Agent[]> {
  const agents: Agent[] = [];
  let pageToken = "";
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page = await session.client.agents.listAgents({ pageSize: PAGE, pageToken, filter }, session.call);
    agents.push(...page.agents);
    if (page.nextPageToken === "") return agents;
    pageToken = page.nextPageToken;
  }
  throw new CliError(`the server's list of agents does not end within ${MAX_PAGES} pages`);
}

/** An agent as a row of the table. */
export function agentRow(agent: Agent): string[] {
  const { id, status, vsockCid, address, configRevision, liveness } = agent;
  return [
    id,
    statusName(status),
    liveness?.connected === true ? "up" : "down",
    configCell(configRevision, liveness),
    liveness?.openclaw || "-",
    String(liveness?.inFlight ?? 0),
    address || (vsockCid === 0 ? "-" : `cid ${vsockCid}`),
    problemOf(liveness),
  ].map(cell);
}

/** Flags of `valinor agents create` and `valinor agents set`. */
export interface AgentFieldOptions extends ServerOptions {
  readonly address?: string;
  readonly cid?: number;
  readonly status?: string;
  readonly output?: OutputForm;
}

/** Adds an agent. Rejects with CliError. */
export async function agentsCreate(id: string, options: AgentFieldOptions, env: Environment): Promise<void> {
  const agent = fieldsOf(id, options);
  await withServer(options, env, async (session) => {
    const { agent: created } = await session.client.agents.createAgent({ agent }, session.call);
    tellAgent("created", created, options);
  });
}

/** Changes the fields that flags name. Rejects with CliError. */
export async function agentsSet(id: string, options: AgentFieldOptions, env: Environment): Promise<void> {
  const agent = fieldsOf(id, options);
  const paths = [
    ...(options.status === undefined ? [] : ["status"]),
    ...(options.cid === undefined ? [] : ["vsock_cid"]),
    ...(options.address === undefined ? [] : ["address"]),
  ];
  if (paths.length === 0)
    throw new CliError("say what to change: --status, --address or --cid", { exitCode: 2 });
  const updateMask = create(FieldMaskSchema, { paths });
  await withServer(options, env, async (session) => {
    const { agent: updated } = await session.client.agents.updateAgent({ agent, updateMask }, session.call);
    tellAgent("changed", updated, options);
  });
}

/** Flags of `valinor agents rm`. */
export interface AgentsRmOptions extends ServerOptions {
  readonly yes?: boolean;
}

/** Deletes an agent, asking first. Rejects with CliError. */
export async function agentsRm(id: string, options: AgentsRmOptions, env: Environment): Promise<void> {
  if (options.yes !== true && !process.stdin.isTTY)
    throw new CliError("there is no terminal to ask at: add --yes to delete the agent", { exitCode: 2 });
  await withServer(options, env, async (session) => {
    // First, so that nobody is asked about an agent that is not there.
    if (options.yes !== true) {
      await session.client.agents.getAgent({ agentId: id }, session.call);
      await confirm(id, session.signal);
    }
    await session.client.agents.deleteAgent({ agentId: id }, session.call);
    note(`deleted ${id}`);
  });
}

async function confirm(id: string, signal: AbortSignal): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const gone = new AbortController();
  terminal.once("close", () => gone.abort()); // Ctrl-C or Ctrl-D
  try {
    const question = `Delete ${id}, with its configurations and context? [y/N] `;
    const answer = await terminal
      .question(question, { signal: AbortSignal.any([gone.signal, signal]) })
      .catch(() => "");
    signal.throwIfAborted();
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError("nothing was deleted");
  } finally {
    terminal.close();
  }
}

function fieldsOf(id: string, { address, cid, status }: AgentFieldOptions) {
  return {
    id,
    ...(address === undefined ? {} : { address }),
    ...(cid === undefined ? {} : { vsockCid: cid }),
    ...(status === undefined ? {} : { status: parseStatus(status) }),
  };
}

function tellAgent(what: string, agent: Agent | undefined, { output }: AgentFieldOptions): void {
  if (agent === undefined) throw new CliError("the server answered without an agent");
  if (output === "json") return writeJson(messageJson(AgentSchema, agent));
  const place = agent.address || (agent.vsockCid === 0 ? "no address" : `cid ${agent.vsockCid}`);
  writeOwn(`${what} ${cell(agent.id)}: ${statusName(agent.status)}, ${cell(place)}\n`);
}
