import { create, type JsonObject } from "@bufbuild/protobuf";
import {
  type ConfigAck,
  ConfigAckSchema,
  ConfigUpdateSchema,
  ContextUpdateSchema,
  ToolPolicySchema,
} from "@valinor/proto/valinor/link/v1/link";
import type { Connection } from "../link/connection.ts";
import type { ConfigRecord } from "../store/store.ts";
import { LinkError, type Frame, readPayload, writePayload, NO_TOOLS_ALLOWLIST } from "@valinor/protocol";

/** What a guest said of a push. */
export interface Verdict {
  readonly applied: boolean;
  /** True where the guest turned it down: pushing the same again is no use. */
  readonly refused: boolean;
  /** Why it is not applied. */
  readonly reason: string;
}

/** A configuration that a guest has in force, as it says. */
export interface Report {
  /** 0 before the first. */
  readonly revision: number;
  /** Empty before the first. */
  readonly sha256: string;
}

/** The answer to a push of a configuration. */
export interface ConfigAnswer extends Verdict {
  /** What is in force now; undefined where the guest did not say. */
  readonly inForce: Report | undefined;
}

/** The answer to a push of a context entry. */
export interface ContextAnswer extends Verdict {
  /** Digest of the context that is in force now; undefined where the guest did not say. */
  readonly contextSha256: string | undefined;
}

/** A context entry to be pushed. */
export interface ContextPush {
  readonly key: string;
  /** The client's object; an empty `context` removes the entry. */
  readonly payload: JsonObject;
  /** Where given: every entry that it does not name is dropped. */
  readonly keys: readonly string[] | undefined;
}

/** Longest reason of a guest that is kept. */
const REASON = 500;

/** Names of the link's own fields: a client's further keys never stand for them. */
const contextFields = new Set(ContextUpdateSchema.fields.map((field) => field.jsonName));

/** The verdict on a push that never reached a guest, or got no answer. */
export function notApplied(reason: string): Verdict {
  return { applied: false, refused: false, reason };
}

/**
 * Pushes a configuration with its secrets open, and waits at most `ms` for the guest's word on that very revision; `hide` takes
 * secrets out of that. Never rejects.
 */
export async function pushConfig(
  connection: Connection,
  config: ConfigRecord,
  ms: number,
  hide: (text: string) => string,
): Promise<ConfigAnswer> {
  try {
    const answer = await connection.request("config_update", configPayload(config, connection.protocol), ms);
    const ack = readAck(answer);
    if (ack === undefined) return { ...refusalOf(answer, hide), inForce: undefined };
    const inForce = reportOf(ack);
    const verdict = verdictOf(ack, hide);
    const believed = connection.protocol === 1 || (inForce !== undefined && sameReport(inForce, config));
    if (!verdict.applied || believed) return { ...verdict, inForce };
    const text = `the agent acknowledged revision ${inForce?.revision ?? 0}, not ${config.revision}`;
    return { ...notApplied(text), inForce: undefined };
  } catch (error) {
    return { ...notApplied(LinkError.from(error, "interrupted").message), inForce: undefined };
  }
}

/** Pushes a context entry and waits at most `ms` for the guest's word. Never rejects. */
export async function pushContext(
  connection: Connection,
  entry: ContextPush,
  ms: number,
): Promise<ContextAnswer> {
  try {
    const answer = await connection.request("context_update", contextPayload(entry), ms);
    const ack = readAck(answer);
    if (ack === undefined) return { ...refusalOf(answer, same), contextSha256: undefined };
    return { ...verdictOf(ack, same), contextSha256: ack.contextSha256 };
  } catch (error) {
    return { ...notApplied(LinkError.from(error, "interrupted").message), contextSha256: undefined };
  }
}

/** True where both are the same revision with the same digest. */
export function sameReport(a: Report, b: Report): boolean {
  return a.revision === b.revision && a.sha256 === b.sha256;
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

function contextPayload({ key, payload, keys }: ContextPush): object {
  const foreign = Object.entries(payload).filter(([name]) => !contextFields.has(name));
  const named = key !== "" || "key" in payload || keys !== undefined;
  return {
    ...Object.fromEntries(foreign),
    context: payload["context"],
    ...(named && { key }),
    ...(keys !== undefined && { replace: true }),
    ...(keys !== undefined && keys.length > 0 && { keys }),
  };
}

const NO_REASON = "no reason given";

/** The acknowledgement; undefined for an error, which refuses. Any other frame breaks the protocol. */
function readAck(answer: Frame): ConfigAck | undefined {
  if (answer.type === "error") return undefined;
  if (answer.type === "config_ack") return readPayload(ConfigAckSchema, answer.payload);
  throw new LinkError("invalid_frame", `the agent answered a push with ${answer.type}`);
}

const same = (text: string): string => text;

function refusalOf({ payload }: Frame, hide: (text: string) => string): Verdict {
  const text = [payload["message"], payload["code"]].find(
    (given) => typeof given === "string" && given !== "",
  );
  return refused(typeof text === "string" ? hide(text) : NO_REASON);
}

function verdictOf({ applied, retry, reason }: ConfigAck, hide: (text: string) => string): Verdict {
  if (applied) return { applied: true, refused: false, reason: "" };
  const why = hide(reason || NO_REASON);
  return retry === true ? notApplied(`the agent can't apply it yet: ${shown(why)}`) : refused(why);
}

function refused(reason: string): Verdict {
  return { applied: false, refused: true, reason: `the agent refused it: ${shown(reason)}` };
}

/** A guest's text, short enough to be kept, and never with half a character at its end. */
function shown(text: string): string {
  return text.slice(0, REASON).toWellFormed();
}

function reportOf({ revision, sha256 }: ConfigAck): Report | undefined {
  return revision === undefined || sha256 === undefined ? undefined : { revision, sha256 };
}
