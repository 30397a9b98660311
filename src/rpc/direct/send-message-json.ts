import { type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { MessageSchema, SendMessageRequestSchema } from "@valinor/proto/valinor/v1/agent_proxy";

/** What SendMessage asks for, as the plain object that the generated type is. */
export interface PlainSend {
  agentId: string;
  message?: { role: string; content: string } | undefined;
  conversationId: string;
  requestId: string;
  allowStaleConfig: boolean;
}

/** A member of a JSON object that is read here. */
interface Member {
  readonly localName: string;
  readonly kind: "text" | "flag" | "message";
  /** Of each field another one. */
  readonly bit: number;
}

const sendMembers = membersOf(SendMessageRequestSchema);
const messageMembers = membersOf(MessageSchema);

/** Every field under the names that JSON may have for it: its own and the schema's. */
function membersOf(desc: DescMessage): ReadonlyMap<string, Member> {
  const members = new Map<string, Member>();
  for (const [at, field] of desc.fields.entries()) {
    const kind = kindOf(field.fieldKind, field.scalar);
    const member: Member = { localName: field.localName, kind, bit: 1 << at };
    members.set(field.name, member).set(field.jsonName, member);
  }
  return members;
}

function kindOf(fieldKind: string, scalar: ScalarType | undefined): Member["kind"] {
  if (fieldKind === "message") return "message";
  if (fieldKind === "scalar" && scalar === ScalarType.STRING) return "text";
  if (fieldKind === "scalar" && scalar === ScalarType.BOOL) return "flag";
  throw new Error(`SendMessage has a field of ${fieldKind}, which its reader does not know`);
}

/** What a text may not hold between its quotes to be read as it stands. */
// oxlint-disable-next-line no-control-regex -- JSON forbids them in a text
const SPECIAL = /[\\\u0000-\u001f]/;

/**
 * Reads the JSON of a SendMessageRequest as nearly all clients write it: texts without escapes, fields that the schema has, each once. In
 * one pass, and without the walk for doubled names that a parser needs. Undefined for everything else, faults included: the library reads it,
 * and has the words for what is wrong.
 */
export function readSendJson(text: string): PlainSend | undefined {
  const into: PlainSend = {
    agentId: "",
    message: undefined,
    conversationId: "",
    requestId: "",
    allowStaleConfig: false,
  };
  const end = readObject(text, skipSpace(text, 0), sendMembers, into as unknown as Record<string, unknown>);
  return end >= 0 && skipSpace(text, end) === text.length ? into : undefined;
}

/** Reads an object that begins here; answers the place behind it, or -1. */
function readObject(
  text: string,
  from: number,
  members: ReadonlyMap<string, Member>,
  into: Record<string, unknown>,
): number {
  if (text.charCodeAt(from) !== 0x7b) return -1;
  let at = skipSpace(text, from + 1);
  if (text.charCodeAt(at) === 0x7d) return at + 1;
  for (let seen = 0; ;) {
    const close = textEnd(text, at);
    if (close < 0) return -1;
    const member = members.get(text.slice(at + 1, close));
    if (member === undefined || (seen & member.bit) !== 0) return -1;
    seen |= member.bit;
    at = skipSpace(text, close + 1);
    if (text.charCodeAt(at) !== 0x3a) return -1;
    at = readValue(text, skipSpace(text, at + 1), member, into);
    if (at < 0) return -1;
    at = skipSpace(text, at);
    const next = text.charCodeAt(at);
    if (next === 0x7d) return at + 1;
    if (next !== 0x2c) return -1;
    at = skipSpace(text, at + 1);
  }
}

function readValue(
  text: string,
  at: number,
  { localName, kind }: Member,
  into: Record<string, unknown>,
): number {
  if (kind === "text") {
    const close = textEnd(text, at);
    if (close < 0) return -1;
    const value = text.slice(at + 1, close);
    if (SPECIAL.test(value)) return -1;
    into[localName] = value;
    return close + 1;
  }
  if (kind === "flag") {
    const value = text.startsWith("true", at);
    if (!value && !text.startsWith("false", at)) return -1;
    into[localName] = value;
    return at + (value ? 4 : 5);
  }
  const message = { role: "", content: "" };
  into[localName] = message;
  return readObject(text, at, messageMembers, message);
}

/** Place of the quote that ends the text that begins here, which holds none; -1 if there is no such text. */
function textEnd(text: string, at: number): number {
  return text.charCodeAt(at) === 0x22 ? text.indexOf('"', at + 1) : -1;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at++;
  }
}
