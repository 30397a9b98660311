import { create, type JsonObject } from "@bufbuild/protobuf";
import {
  ConfigAckSchema,
  ConfigUpdateSchema,
  ToolPolicySchema,
} from "../../gen/ts/valinor/link/v1/link_pb.ts";
import type { Connection } from "../link/connection.ts";
import type { ConfigRecord, ContextRecord } from "../store/store.ts";
import { LinkError } from "../wire/errors.ts";
import type { Frame } from "../wire/frame.ts";
import { readPayload, writePayload } from "../wire/payload.ts";
import { NO_TOOLS_ALLOWLIST } from "../wire/vocabulary.ts";

/** What a guest said of a push. */
export interface Verdict {
  readonly applied: boolean;
  /** True where the guest turned it down: pushing the same again is no use. */
  readonly refused: boolean;
  /** Why it is not applied. */
  readonly reason: string;
}

const APPLIED: Verdict = { applied: true, refused: false, reason: "" };

/** The verdict on a push that never reached a guest, or got no answer. */
export function notApplied(reason: string): Verdict {
  return { applied: false, refused: false, reason };
}

/** Pushes a configuration and waits at most `ms` for the guest's word on that very revision. Never rejects. */
export async function pushConfig(connection: Connection, config: ConfigRecord, ms: number): Promise<Verdict> {
  try {
    const answer = await connection.request("config_update", configPayload(config, connection.protocol), ms);
    const verdict = verdictOf(answer);
    return verdict.applied && connection.protocol === 2 ? checkRevision(answer, config) : verdict;
  } catch (error) {
    return notApplied(LinkError.from(error, "interrupted").message);
  }
}

/** Pushes a context entry and waits at most `ms` for the guest's word. Never rejects. */
export async function pushContext(
  connection: Connection,
  record: ContextRecord,
  ms: number,
): Promise<Verdict> {
  try {
    const payload: JsonObject = { ...record.payload };
    if (record.key !== "" || "key" in payload) payload["key"] = record.key;
    return verdictOf(await connection.request("context_update", payload, ms));
  } catch (error) {
    return notApplied(LinkError.from(error, "interrupted").message);
  }
}

function configPayload(config: ConfigRecord, protocol: 1 | 2): object {
  const { mode, tools } = config.policy;
  const allowlist = mode === "all" ? [] : tools.length === 0 ? NO_TOOLS_ALLOWLIST : [...tools];
  const message = create(ConfigUpdateSchema, { config: config.config, toolAllowlist: allowlist });
  if (protocol === 2) {
    message.toolPolicy = create(ToolPolicySchema, { mode, tools: [...tools] });
    message.revision = config.revision;
    message.sha256 = config.sha256;
  }
  return writePayload(ConfigUpdateSchema, message);
}

/** A refusal is `applied:false` or an error; any other frame breaks the protocol. */
function verdictOf(answer: Frame): Verdict {
  if (answer.type === "error") {
    const text = String(answer.payload["message"] ?? answer.payload["code"]).slice(0, 500);
    return { applied: false, refused: true, reason: `the agent refused it: ${text}` };
  }
  if (answer.type !== "config_ack") {
    throw new LinkError("invalid_frame", `the agent answered a push with ${answer.type}`);
  }
  const ack = readPayload(ConfigAckSchema, answer.payload);
  if (ack.applied) return APPLIED;
  return {
    applied: false,
    refused: true,
    reason: `the agent refused it: ${(ack.reason ?? "no reason given").slice(0, 500)}`,
  };
}

/** "Applied" is only what names the very revision and digest that was pushed. */
function checkRevision(answer: Frame, config: ConfigRecord): Verdict {
  const ack = readPayload(ConfigAckSchema, answer.payload);
  if (ack.revision === config.revision && ack.sha256 === config.sha256) return APPLIED;
  return notApplied(`the agent acknowledged revision ${ack.revision ?? 0}, not ${config.revision}`);
}
