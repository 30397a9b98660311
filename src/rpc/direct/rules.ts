import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import {
  field as fieldRules,
  type FieldRules,
  Ignore,
  message as messageRules,
  oneof as oneofRules,
  type StringRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** True for a message that keeps every rule of its schema for certain; of any other one the validator knows more. */
export type KeepsRules = (message: object) => boolean;

type Values = Readonly<Record<string, unknown>>;

/**
 * Compiles the rules of a schema, as its file states them, into a check that makes nothing. What it lets through the validator lets
 * through, too (test/rpc/direct/rules.test.ts); what it does not, the validator is to judge, since that has the words for it. It knows few
 * rules: of a schema that has others it lets nothing through.
 */
export function compileRules(desc: DescMessage): KeepsRules {
  if (hasOption(desc, messageRules) || desc.oneofs.some((oneof) => hasOption(oneof, oneofRules)))
    return never;
  const checks: KeepsRules[] = [];
  for (const field of desc.fields) {
    const check = compileField(field);
    if (check !== undefined) checks.push(check);
  }
  return (message) => {
    for (const check of checks) if (!check(message)) return false;
    return true;
  };
}

/** The check of a field; undefined if there is nothing to be checked. */
function compileField(field: DescField): KeepsRules | undefined {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
  if (field.fieldKind === "message") return compileMessage(field, rules);
  if (field.message !== undefined) return never;
  if (rules === undefined) return undefined;
  if (field.fieldKind !== "scalar" || field.scalar !== ScalarType.STRING || field.oneof !== undefined)
    return never;
  if (rules.type.case !== "string" || hasMore(rules) || rules.required) return never;
  return compileText(field.localName, rules.type.value);
}

/** A field of messages may be required; well-known types hold no messages with rules. */
function compileMessage(field: DescField & { fieldKind: "message" }, rules: FieldRules | undefined) {
  if (field.oneof !== undefined) return never;
  if (rules !== undefined && (rules.type.case !== undefined || hasMore(rules))) return never;
  const { localName } = field;
  const required = rules?.required ?? false;
  const isOpaque = field.message.typeName.startsWith("google.protobuf.");
  const inner = isOpaque ? undefined : compileRules(field.message);
  return (message: object) => {
    const value = (message as Values)[localName];
    if (value === undefined) return !required;
    return inner === undefined || inner(value as object);
  };
}

function hasMore(rules: FieldRules): boolean {
  return rules.cel.length > 0 || rules.celExpression.length > 0 || rules.ignore !== Ignore.UNSPECIFIED;
}

const KNOWN_TEXT_RULES = new Set(["$typeName", "pattern", "in", "maxBytes", "notIn", "example", "wellKnown"]);

function compileText(localName: string, rules: StringRules): KeepsRules {
  const others = Object.keys(rules).filter((name) => !KNOWN_TEXT_RULES.has(name));
  if (others.length > 0 || rules.notIn.length > 0 || rules.wellKnown.case !== undefined) return never;
  const pattern = rules.pattern === "" ? undefined : simplePattern(rules.pattern);
  if (rules.pattern !== "" && pattern === undefined) return never;
  const listed = rules.in.length > 0 ? new Set(rules.in) : undefined;
  const most = rules.maxBytes === 0n ? Infinity : Number(rules.maxBytes);
  return (message) => {
    const value = (message as Values)[localName];
    if (typeof value !== "string") return false;
    if (pattern !== undefined && !pattern.test(value)) return false;
    if (listed !== undefined && !listed.has(value)) return false;
    return value.length * 3 <= most || Buffer.byteLength(value) <= most;
  };
}

/** Sets of ASCII characters, repeated, from the beginning to the end: what means the same to RE2 and to JavaScript. */
const SIMPLE = /^\^(?:\[[A-Za-z0-9._:-]+\](?:\{\d+,\d+\})?)+\$$/;

function simplePattern(pattern: string): RegExp | undefined {
  return SIMPLE.test(pattern) ? new RegExp(pattern) : undefined;
}

function never(): boolean {
  return false;
}
