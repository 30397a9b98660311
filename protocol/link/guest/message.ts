import { canonicalJson, sha256 } from "../../wire/digest.ts";
import type { UnknownObject } from "../../wire/frame.ts";
import { guestLimits } from "../../wire/limits.ts";
import { isObject, isUint32 } from "../../wire/values.ts";
import { type ClientTool, readHistory, readTools } from "./turns.ts";

// Payloads are read by hand: the generated schemas would load the protobuf runtime into a daemon that has to start quickly.

/** What becomes of a run when its last reader has left. */
export type OnDisconnect = "continue" | "cancel";

/** An event that a host has: its number and its mark. */
export interface Seen {
  readonly sequence: number;
  readonly mark: number;
}

/** A `message` frame, checked. */
export interface Message {
  /** Undefined if the frame only attaches. */
  readonly role: "user" | "tool" | undefined;
  readonly content: string;
  /** Empty if the host gave none. */
  readonly requestId: string;
  readonly conversationId: string;
  readonly afterSequence: number;
  /** Infinity if the host counts no credit. */
  readonly credit: number;
  readonly onDisconnect: OnDisconnect | undefined;
  readonly minConfigRevision: number;
  /** Call that a message of role `tool` answers, as the client wrote it. */
  readonly toolCallId: string | undefined;
  /** Turns before this one, as OpenAI's chat messages. */
  readonly history: readonly UnknownObject[];
  /** Tools that the client runs itself. */
  readonly tools: readonly ClientTool[];
  /** As OpenAI's `tool_choice`; undefined if nothing is said. */
  readonly toolChoice: unknown;
  /** Life of the run that is meant; empty: whichever has the name. */
  readonly runLife: string;
  /** The latest event of the run that the host has; undefined if it says nothing of that. */
  readonly runSeen: Seen | undefined;
  /** Digest of everything that the client said: role, content, history, tools and its own keys; empty if no message is given. */
  readonly hash: string;
}

const OWN_KEYS = new Set([
  "request_id",
  "conversation_id",
  "after_sequence",
  "credit",
  "on_disconnect",
  "min_config_revision",
  "run_life",
  "run_seen",
]);

/** Reads the payload of a `message` frame. A string says what is wrong with it. */
export function readMessage(payload: UnknownObject): Message | string {
  const role = payload["role"] ?? "";
  const content = payload["content"] ?? "";
  const onDisconnect = payload["on_disconnect"] ?? undefined;
  const credit = payload["credit"] ?? Infinity;
  const toolCallId = payload["tool_call_id"] ?? undefined;
  if (role !== "" && role !== "user" && role !== "tool") return "role is neither user nor tool";
  if (typeof content !== "string") return "content is not a string";
  if (onDisconnect !== undefined && onDisconnect !== "continue" && onDisconnect !== "cancel") {
    return "on_disconnect is neither continue nor cancel";
  }
  if (typeof credit !== "number" || !(credit >= 0)) return "credit is not a number from 0";
  if (toolCallId !== undefined && typeof toolCallId !== "string") return "tool_call_id is not a string";
  const history = readHistory(payload["history"]);
  if (typeof history === "string") return history;
  const tools = readTools(payload["tools"]);
  if (typeof tools === "string") return tools;
  const ids = [payload["request_id"] ?? "", payload["conversation_id"] ?? "", payload["run_life"] ?? ""];
  if (!ids.every(isId))
    return `request_id, conversation_id or run_life is not a string of at most ${guestLimits.nameLength}`;
  const runSeen = readSeen(payload["run_seen"] ?? undefined);
  if (runSeen === "wrong") return "run_seen is not an object of a sequence and a mark";
  const counts = [payload["after_sequence"] ?? 0, payload["min_config_revision"] ?? 0];
  if (!counts.every(isUint32)) return "after_sequence or min_config_revision is not an integer from 0";
  return {
    role: role === "" ? undefined : role,
    content,
    requestId: ids[0] as string,
    conversationId: ids[1] as string,
    runLife: ids[2] as string,
    runSeen,
    afterSequence: counts[0] as number,
    credit,
    onDisconnect,
    minConfigRevision: counts[1] as number,
    toolCallId,
    history,
    tools,
    toolChoice: payload["tool_choice"] ?? undefined,
    hash: role === "" ? "" : messageHash(payload),
  };
}

function readSeen(value: unknown): Seen | "wrong" | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) return "wrong";
  const sequence = value["sequence"] ?? 0;
  const mark = value["mark"] ?? 0;
  return isUint32(sequence) && isUint32(mark) ? { sequence, mark } : "wrong";
}

/** Digest of what the client said: everything in the payload but the keys that are the link's own. */
function messageHash(payload: UnknownObject): string {
  const said = Object.entries(payload).filter(([key]) => !OWN_KEYS.has(key));
  return sha256(canonicalJson(Object.fromEntries(said)));
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length <= guestLimits.nameLength;
}
