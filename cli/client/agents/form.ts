import type { JsonObject } from "@bufbuild/protobuf";
import { toJson, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { AgentLiveness } from "@valinor/proto/valinor/v1/agent_registry";
import { AgentStatus, ConfigState, type ToolPolicy, ToolPolicy_Mode } from "@valinor/proto/valinor/v1/types";
import { CliError } from "../../terminal/errors.ts";

/** A message of the API as JSON: field names as in the proto, every field there. */
export function messageJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject {
  return toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true }) as JsonObject;
}

/** `RUNNING` for AGENT_STATUS_RUNNING. */
export function statusName(status: AgentStatus): string {
  return nameOf(AgentStatus, status);
}

/** The status of a flag, in any case. Throws CliError. */
export function parseStatus(text: string): AgentStatus {
  switch (text.toLowerCase()) {
    case "provisioning":
      return AgentStatus.PROVISIONING;
    case "running":
      return AgentStatus.RUNNING;
    case "stopped":
      return AgentStatus.STOPPED;
    case "failed":
      return AgentStatus.FAILED;
    default:
      throw new CliError(`--status must be provisioning, running, stopped or failed, not ${text}`, {
        exitCode: 2,
      });
  }
}

/** `applied`, `pending`, `refused`, `assumed` or `unknown`. */
export function configStateName(state: ConfigState): string {
  return state === ConfigState.UNSPECIFIED ? "unknown" : nameOf(ConfigState, state).toLowerCase();
}

/** Name of an enum's value; its number if a newer server has one that is not known here. */
function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}

/** The desired revision and whether it is in force, such as `3 applied`, or `3 pending (has 2)`. */
export function configCell(desired: number, liveness: AgentLiveness | undefined): string {
  const state = liveness?.configState ?? ConfigState.UNSPECIFIED;
  const has = liveness?.observedRevision ?? 0;
  const behind = state !== ConfigState.APPLIED && state !== ConfigState.ASSUMED && has > 0 && has !== desired;
  return `${desired} ${configStateName(state)}${behind ? ` (has ${has})` : ""}`;
}

/** `all`, `none`, or the tools. */
export function policyText(policy: ToolPolicy | undefined): string {
  const tools = policy?.tools ?? [];
  const listed = policy?.mode === ToolPolicy_Mode.LISTED || tools.length > 0;
  if (!listed) return "all";
  return tools.length === 0 ? "none" : tools.join(",");
}

/** A time to the second, in UTC; empty if there is none. */
export function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : `${timestampDate(time).toISOString().slice(0, 19)}Z`;
}

/** Text of the problem of a liveness: why there is no link, else why its configuration is not in force; empty if all is well. */
export function problemOf(liveness: AgentLiveness | undefined): string {
  if (liveness === undefined) return "";
  const openclaw = liveness.openclaw === "down" ? "OpenClaw is down" : "";
  return (liveness.connected ? "" : liveness.lastError) || liveness.configReason || openclaw;
}
