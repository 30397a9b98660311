import { create } from "@bufbuild/protobuf";
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
import {
  type ConfigAnswer,
  type ContextAnswer,
  type ContextPush,
  notApplied,
  type Report,
  type Verdict,
} from "./convergence/facts.ts";

/** Longest reason of a guest that is kept. */
const REASON = 500;

/** Names of the link's own fields: a client's further keys never stand for them. */
const contextFields = new Set(ContextUpdateSchema.fields.map((field) => field.jsonName));

/**
 * Pushes a configuration, `opened` with its secrets in the open, and waits at most `ms` for the guest's word; `hide` takes secrets out of
 * that. Rejects with LinkError if there is none.
 */
export async function pushConfig(
  connection: Connection,
  opened: ConfigRecord,
  ms: number,
  hide: (text: string) => string,
): Promise<ConfigAnswer> {
  const { reports } = connection.guest;
  const answer = await connection.request("config_update", configPayload(opened, reports), ms);
  const ack = readAck(answer);
  const { sha256 } = opened;
  if (ack === undefined) return { ...refusalOf(answer, hide), inForce: undefined, sha256 };
  return { ...verdictOf(ack, hide), inForce: reportOf(ack), sha256 };
}

/** Pushes a context entry and waits at most `ms` for the guest's word. Rejects with LinkError if there is none. */
export async function pushContext(
  connection: Connection,
  push: ContextPush,
  ms: number,
): Promise<ContextAnswer> {
  const answer = await connection.request("context_update", contextPayload(push), ms);
  const ack = readAck(answer);
  if (ack === undefined) return { ...refusalOf(answer, same), contextSha256: undefined };
  return { ...verdictOf(ack, same), contextSha256: ack.contextSha256 };
}

/** A guest that names what it has in force is told the name. */
function configPayload(config: ConfigRecord, named: boolean): object {
  const { mode, tools } = config.policy;
  const allowlist = mode === "all" ? [] : tools.length === 0 ? NO_TOOLS_ALLOWLIST : [...tools];
  const message = create(ConfigUpdateSchema, { config: config.config, toolAllowlist: allowlist });
  if (named) {
    message.toolPolicy = create(ToolPolicySchema, { mode, tools: [...tools] });
    message.revision = config.revision;
    message.sha256 = config.sha256;
  }
  return writePayload(ConfigUpdateSchema, message);
}

function contextPayload({ entry: { key, payload }, keys }: ContextPush): object {
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
