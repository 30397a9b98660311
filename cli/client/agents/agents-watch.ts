import type { AgentsView, WatchOptions } from "@valinor/client";
import { AgentSchema } from "@valinor/proto/valinor/v1/agent_registry";
import type { Environment } from "../../terminal/environment.ts";
import { agentRow } from "./agents.ts";
import { messageJson } from "./form.ts";
import { cell, note, type OutputForm, writeJsonLine, writeOwn } from "../output.ts";
import { type ServerOptions, withServer } from "../session.ts";

/** Widths of a line's columns; a longer cell moves those behind it. */
const WIDTHS = [8, 8, 16, 12, 5, 20, 8, 4, 24];

/** Flags of `valinor agents watch`. */
export interface AgentsWatchOptions extends ServerOptions {
  readonly output?: OutputForm;
}

/**
 * Prints the agents, and then each change as a line, until Ctrl-C (exit code 130). A lost connection is made again, and told on stderr;
 * one that never was fails. Rejects with CliError.
 */
export async function agentsWatch(options: AgentsWatchOptions, env: Environment): Promise<void> {
  await withServer(options, env, async (session) => {
    let seen = false;
    let wasLive = false;
    const watching: WatchOptions = {
      signal: session.signal,
      shouldRetry: ({ begun, transient }) => begun && transient,
    };
    const print = options.output === "json" ? printJson : printLines;
    if (options.output !== "json")
      writeOwn(
        line(["TIME", "CHANGE", "ID", "STATUS", "LINK", "CONFIG", "OPENCLAW", "RUNS", "ADDRESS", "PROBLEM"]),
      );
    for await (const view of session.client.watchAgents(watching)) {
      if (options.output === "json" && view.live !== wasLive)
        writeJsonLine({ event: view.live ? "connected" : "disconnected" });
      else if (!view.live) note("valinor: the connection is lost; going on as soon as possible ...");
      else if (seen && !wasLive) note("valinor: connected again");
      print(view, seen);
      seen = true;
      wasLive = view.live;
    }
  });
}

function printLines({ agents, changed, removed }: AgentsView, seen: boolean): void {
  const time = new Date().toISOString().slice(11, 19);
  for (const id of changed) {
    const agent = agents.get(id);
    if (agent !== undefined) writeOwn(line([time, seen ? "changed" : "there", ...agentRow(agent)]));
  }
  for (const id of removed) writeOwn(line([time, "deleted", cell(id)]));
}

function printJson({ agents, changed, removed }: AgentsView): void {
  for (const id of changed) {
    const agent = agents.get(id);
    if (agent !== undefined) writeJsonLine({ event: "agent", agent: messageJson(AgentSchema, agent) });
  }
  for (const id of removed) writeJsonLine({ event: "deleted", id });
}

function line(cells: readonly string[]): string {
  return `${cells
    .map((text, at) => text.padEnd(WIDTHS[at] ?? 0))
    .join("  ")
    .trimEnd()}\n`;
}
