import { effect, signal } from "@preact/signals";
import type { Agent } from "@valinor/proto/valinor/v1/agent_registry";
import { registry } from "../api.ts";
import { backoffMs, pause } from "../backoff.ts";
import { credential } from "../credential.ts";
import { type Problem, readProblem } from "../problem.ts";
import { fewConnections } from "../protocol.ts";
import { applyWatchEvent, beginSnapshot, type WatchState } from "./watch-state.ts";

/** How the page's one watch is doing. */
export type WatchHealth =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "asleep" }
  | { readonly kind: "lost"; readonly problem: Problem };

/** The agents, by id. */
export const agents = signal<readonly Agent[]>([]);

/** True once a snapshot was complete. */
export const agentsKnown = signal(false);

export const watchHealth = signal<WatchHealth>({ kind: "connecting" });

/** Milliseconds without a sign of life after which the watch is taken for dead; the server sends one every 15 s. */
const SILENCE_MS = 45_000;

const state: WatchState = { agents: new Map(), seen: undefined };
let drawing = false;

/** The agent of an id, as it was last told. */
export function agentOf(id: string): Agent | undefined {
  return agents.value.find((agent) => agent.id === id);
}

/**
 * Keeps one WatchAgents open for as long as the page lives, begun anew with another credential. A page that is not looked at gives its
 * connection back where there are only six.
 */
export function startWatch(): void {
  let current: AbortController | undefined;
  const restart = () => {
    current?.abort(new Error("restarted"));
    current = undefined;
    if (document.hidden && fewConnections) {
      watchHealth.value = { kind: "asleep" };
      return;
    }
    current = new AbortController();
    watchHealth.value = { kind: "connecting" };
    void keepWatching(current.signal);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden ? fewConnections : watchHealth.value.kind !== "live") restart();
  });
  effect(() => {
    void credential.value;
    queueMicrotask(restart);
  });
}

async function keepWatching(signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await watchOnce(signal, () => (attempt = 0));
    } catch (thrown) {
      if (signal.aborted) return;
      const problem = readProblem(thrown);
      watchHealth.value = { kind: "lost", problem };
      // A better credential restarts the watch; the same one would only be refused again.
      if (problem.reason === "UNAUTHENTICATED") return;
      await pause(Math.max(backoffMs(attempt), problem.retryMs), signal, window).catch(() => {});
    }
  }
}

async function watchOnce(signal: AbortSignal, live: () => void): Promise<void> {
  const attempt = new AbortController();
  let signAt = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - signAt > SILENCE_MS) attempt.abort(new Error("silence"));
  }, SILENCE_MS / 4);
  try {
    beginSnapshot(state);
    const events = registry.watchAgents(
      {},
      { signal: AbortSignal.any([signal, attempt.signal]), timeoutMs: 0 },
    );
    for await (const event of events) {
      signAt = performance.now();
      const changed = applyWatchEvent(state, event);
      if (event.event.case === "snapshotComplete") {
        live();
        watchHealth.value = { kind: "live" };
      }
      if (changed) draw();
    }
    throw new Error("the watch ended");
  } finally {
    clearInterval(timer);
    attempt.abort(new Error("left"));
  }
}

/** Shows what has changed, at most once a frame; during a first snapshot nothing, so that the list does not jump. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (state.seen !== undefined && !agentsKnown.value) return;
    agentsKnown.value = true;
    agents.value = [...state.agents.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  });
}
