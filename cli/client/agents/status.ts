import {
  type GetAgentStatusResponse,
  GetAgentStatusResponseSchema,
} from "@valinor/proto/valinor/v1/agent_proxy";
import type { Environment } from "../../terminal/environment.ts";
import { configStateName, messageJson, statusName } from "./form.ts";
import { cell, type OutputForm, writeJson, writeOwn } from "../output.ts";
import { type ServerOptions, withServer } from "../session.ts";

/** Flags of `valinor status`. */
export interface StatusOptions extends ServerOptions {
  readonly output?: OutputForm;
}

/** Prints what the server knows of an agent; the agent isn't asked. Rejects with CliError. */
export async function status(agentId: string, options: StatusOptions, env: Environment): Promise<void> {
  await withServer(options, env, async (session) => {
    const known = await session.client.status(agentId, session.call);
    if (options.output === "json")
      return writeJson({ agent_id: agentId, ...messageJson(GetAgentStatusResponseSchema, known) });
    const rows = statusRows(agentId, known).filter(([, value]) => value !== "");
    const width = Math.max(...rows.map(([name]) => name.length));
    writeOwn(rows.map(([name, value]) => `${name.padEnd(width)}  ${cell(value)}\n`).join(""));
  });
}

function statusRows(agentId: string, known: GetAgentStatusResponse): [string, string][] {
  const { connected, heartbeatAgeSecs: age, openclaw, openclawKind: kind } = known;
  const kindText = [kind, known.openclawKindReason].filter((text) => text !== "").join(": ");
  const revisions =
    known.observedRevision === known.desiredRevision || known.observedRevision === 0
      ? `revision ${known.desiredRevision}`
      : `revision ${known.desiredRevision}, the agent has ${known.observedRevision}`;
  return [
    ["agent", agentId],
    ["status", statusName(known.status)],
    ["link", connected ? `up, protocol ${known.protocol}` : "down"],
    ["last error", known.lastError],
    ["heartbeat", age === undefined ? "never" : `${age.toFixed(1)} s ago`],
    ["guest", known.guestStatus],
    ["version", known.agentVersion],
    ["boot", known.bootId],
    ["runs", String(known.inFlight)],
    ["openclaw", kindText === "" ? openclaw : `${openclaw} (${kindText})`],
    [
      "requests",
      known.remembers === "" ? "" : `remembered ${known.remembers === "disk" ? "on disk" : "only in memory"}`,
    ],
    ["config", `${configStateName(known.configState)}, ${revisions}`],
    ["why", known.configReason],
  ];
}
