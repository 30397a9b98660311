import { effect, signal } from "@preact/signals";
import type { Agent } from "@valinor/client";
import { client } from "../api.ts";
import { credential } from "../credential.ts";
import { type Problem, readProblem } from "../problem.ts";
import { fewConnections } from "../protocol.ts";

/** How the page's one watch is doing. */
export type WatchHealth =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "asleep" }
  | { readonly kind: "lost"; readonly problem: Problem };

/** The agents, by id. */
export const agents = signal<readonly Agent[]>([]);

/** True once all agents are known. */
export const agentsKnown = signal(false);

export const watchHealth = signal<WatchHealth>({ kind: "connecting" });

/** What the watch told last; undefined until it has told anything. */
let latest: ReadonlyMap<string, Agent> | undefined;
let drawing = false;

/**
 * Keeps one watch open for as long as the page lives, begun anew with another credential. A page that is not looked at gives its
 * connection back if there are only six.
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
    queueMicrotask(() => {
      forgetAgents();
      restart();
    });
  });
}

/** Whoever has another credential may be somebody else, who may not see these agents. */
function forgetAgents(): void {
  latest = undefined;
  agentsKnown.value = false;
  agents.value = [];
}

/** Watches until the signal aborts, or the credential is refused: a better one begins another watch. */
async function keepWatching(signal: AbortSignal): Promise<void> {
  const lost = (thrown: unknown): void => {
    watchHealth.value = { kind: "lost", problem: readProblem(thrown) };
  };
  try {
    const views = client.watchAgents({
      signal,
      // Nobody sits by a page to begin its watch anew.
      shouldRetry: ({ error }) => error.reason !== "UNAUTHENTICATED",
      onRetry: ({ error }) => lost(error),
    });
    for await (const view of views) {
      if (view.live && watchHealth.value.kind !== "live") watchHealth.value = { kind: "live" };
      latest = view.agents;
      draw();
    }
  } catch (thrown) {
    if (!signal.aborted) lost(thrown);
  }
}

/** Shows what has changed, at most once a frame. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (latest === undefined) return;
    agentsKnown.value = true;
    agents.value = [...latest.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  });
}
