import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { ConfigRevision } from "@valinor/proto/valinor/v1/agent_registry";
import { type ToolPolicy, ToolPolicy_Mode, ToolPolicySchema } from "@valinor/proto/valinor/v1/types";

/** What is being written: a configuration and a tool policy, and the revision that it began from. */
export interface Draft {
  readonly baseRevision: number;
  readonly config: string;
  readonly listed: boolean;
  /** Names of tools, one a line. */
  readonly tools: string;
}

/** A draft that says what a revision says. */
export function draftOf(revision: ConfigRevision): Draft {
  const { toolPolicy } = revision;
  return {
    baseRevision: revision.revision,
    config: pretty(revision.config ?? {}),
    listed: isListed(toolPolicy),
    tools: (toolPolicy?.tools ?? []).join("\n"),
  };
}

/** True if two drafts would be pushed as the same, whatever they began from. */
export function saysTheSame(a: Draft, b: Draft): boolean {
  return (
    a.config === b.config && a.listed === b.listed && (!a.listed || toolsOf(a).join() === toolsOf(b).join())
  );
}

/** The tools of a draft, without blanks and repetitions. */
export function toolsOf(draft: Draft): string[] {
  const names = draft.tools.split("\n").map((name) => name.trim());
  return [...new Set(names.filter(Boolean))];
}

/** The policy that a draft is pushed with. */
export function policyOf(draft: Draft): ToolPolicy {
  return draft.listed
    ? create(ToolPolicySchema, { mode: ToolPolicy_Mode.LISTED, tools: toolsOf(draft) })
    : create(ToolPolicySchema, { mode: ToolPolicy_Mode.ALL });
}

/** A revision as the text that comparisons are made of. */
export function revisionText(revision: ConfigRevision): string {
  const { config = {}, toolPolicy } = revision;
  return textOf(config, isListed(toolPolicy), toolPolicy?.tools ?? []);
}

/** A draft as the text that comparisons are made of; with its configuration, parsed. */
export function draftText(draft: Draft, config: JsonObject): string {
  return textOf(config, draft.listed, toolsOf(draft));
}

function textOf(config: JsonObject, listed: boolean, tools: readonly string[]): string {
  const policy: JsonObject = listed ? { mode: "LISTED", tools: [...tools] } : { mode: "ALL" };
  return pretty({ config, tool_policy: policy });
}

function isListed(policy: ToolPolicy | undefined): boolean {
  return policy?.mode === ToolPolicy_Mode.LISTED || (policy?.tools.length ?? 0) > 0;
}

/** JSON with names in order, as the order of names says nothing. */
export function pretty(value: JsonObject): string {
  return JSON.stringify(inOrder(value), null, 2);
}

function inOrder(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(inOrder);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, inOrder(inner)]));
}
