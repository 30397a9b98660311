import type { ClientTool } from "./turns.ts";

/** Stands before the name of a client's tool in a tool policy; OpenClaw's own tools have no such names. */
export const CLIENT_PREFIX = "client:";

/**
 * Makes the check of what a run's model may call: what the policy (`allows`) lists by its name, and of the client's tools also what
 * it lists as `client:NAME`. A tool of the client and one of OpenClaw may have the same name: the longer form allows the first alone.
 */
export function callable(
  allows: (tool: string) => boolean,
  tools: readonly ClientTool[],
): (tool: string) => boolean {
  const offered = new Set(tools.map(({ name }) => name));
  return (tool) => allows(tool) || (offered.has(tool) && allows(CLIENT_PREFIX + tool));
}
