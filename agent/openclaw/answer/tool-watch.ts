import { type UnknownObject, isObject } from "@valinor/protocol";

/** Runs whose items are kept until the answer tells the run's id; and names kept of one of them. */
const EARLY_RUNS = 64;
const EARLY_NAMES = 32;

/** Tells runs which of OpenClaw's own tools their model calls. */
export interface ToolWatch {
  /** Takes the payload of an `agent` event of stream `item`. */
  item(payload: UnknownObject): void;
  /** Calls `onTool` with each tool that OpenClaw runs under that id, what came before included, until `stop`. */
  follow(runId: string, onTool: (name: string) => void): { stop(): void };
}

/** Makes a watch. OpenClaw's id of a run is the `id` of its HTTP answer, which may arrive after the first item. */
export function createToolWatch(): ToolWatch {
  const followers = new Map<string, (name: string) => void>();
  const early = new Map<string, Set<string>>();

  function keep(runId: string, name: string): void {
    const names = early.get(runId) ?? new Set();
    if (names.size < EARLY_NAMES) names.add(name);
    early.set(runId, names);
    const [oldest] = early.keys();
    if (early.size > EARLY_RUNS && oldest !== undefined) early.delete(oldest);
  }

  return {
    item(payload) {
      const { runId, stream, data } = payload;
      if (stream !== "item" || typeof runId !== "string" || !isObject(data)) return;
      const { kind, name } = data;
      if (kind !== "tool" || typeof name !== "string" || name === "") return;
      const follower = followers.get(runId);
      if (follower === undefined) keep(runId, name);
      else follower(name);
    },
    follow(runId, onTool) {
      followers.set(runId, onTool);
      const names = early.get(runId) ?? [];
      early.delete(runId);
      for (const name of names) onTool(name);
      return { stop: () => void followers.delete(runId) };
    },
  };
}
