import type { AgentRecord } from "../../store/store.ts";
import { monotonicNow } from "@valinor/protocol";

/** Runs that are remembered, and for how long after a call last opened or left them. docs/guarantees.md tells both. */
const MAX_RUNS = 20_000;
const KEEP_MS = 60 * 60_000;

/** What this process has seen of a run: enough to tell it from another one of the same name. */
export interface SeenRun {
  /** Name of its life; empty until the guest has opened it, and for guests that name none. */
  life: string;
  /** Number and mark of the latest event that came; 0 before the first. */
  sequence: number;
  mark: number;
}

/** The runs that this process has seen, the latest of them. */
export interface SeenRuns {
  /** What was seen of the run that a caller names; it is remembered from now on. */
  open(agent: AgentRecord, runId: string): SeenRun;
  readonly size: number;
}

interface Entry extends SeenRun {
  openedAt: number;
}

/** What a run has seen before its first event. */
export function unseenRun(): SeenRun {
  return { life: "", sequence: 0, mark: 0 };
}

/** Makes an empty memory. */
export function createSeenRuns(most = MAX_RUNS, now: () => number = monotonicNow): SeenRuns {
  /** In the order in which they were opened, the latest last. */
  const runs = new Map<string, Entry>();

  function forget(time: number): void {
    for (const [key, { openedAt }] of runs) {
      if (runs.size <= most && time - openedAt <= KEEP_MS) return;
      runs.delete(key);
    }
  }

  return {
    open(agent, runId) {
      const time = now();
      const key = `${agent.id}/${agent.createTime.getTime()}/${runId}`;
      const entry = runs.get(key) ?? { ...unseenRun(), openedAt: time };
      entry.openedAt = time;
      runs.delete(key);
      runs.set(key, entry);
      forget(time);
      return entry;
    },
    get size() {
      return runs.size;
    },
  };
}
