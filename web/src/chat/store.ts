import { type Signal, signal } from "@preact/signals";
import { client } from "../api.ts";
import { readProblem } from "../problem.ts";
import { createStreamSlots } from "../protocol.ts";
import { randomId, storage } from "../storage.ts";
import { RunReader } from "./reader.ts";
import { hasEnded, isActive, newRun, type Run } from "./run.ts";
import { createSavedRuns } from "./saved.ts";

/** Every run that this tab knows, the oldest first. A run changes in place: `versionOf` tells when. */
export const runs = signal<readonly Run[]>([]);

/** Runs kept in the page at most. */
const MAX_RUNS = 300;

const saved = createSavedRuns(storage("session"));
const versions = new WeakMap<Run, Signal<number>>();
const dirty = new Set<Run>();

const reader = new RunReader({
  client,
  slots: createStreamSlots(),
  // A run that was forgotten while it was read is not kept once more at its end.
  save: (run) => runs.value.includes(run) && saved.save(run),
  changed,
});

/** Grows whenever the run has changed, at most once a frame. */
export function versionOf(run: Run): Signal<number> {
  let version = versions.get(run);
  if (version === undefined) versions.set(run, (version = signal(0)));
  return version;
}

/** Brings back the runs of before the page was loaded anew, and reads on those that have not ended. */
export function restoreRuns(): void {
  window.addEventListener("pagehide", () => reader.saveAll());
  runs.value = saved.load();
  for (const run of runs.value) if (!hasEnded(run)) reader.start(run);
}

/** Sends a message; the answer comes into the run that this returns. */
export function send(agentId: string, conversationId: string, message: string): Run {
  const run = newRun({ requestId: `web-${randomId()}`, agentId, conversationId, message }, Date.now());
  const kept = runs.value.length < MAX_RUNS ? runs.value : withoutOldest(runs.value);
  runs.value = [...kept, run];
  reader.start(run);
  return run;
}

/** Reads a run on that the page had given up; under its own request_id, so that it does not run twice. */
export function tryAgain(run: Run, options: { readonly allowStaleConfig?: boolean } = {}): void {
  if (options.allowStaleConfig === true) run.allowStaleConfig = true;
  reader.start(run);
}

/** Ends a run in its agent. If the agent can't be told, the page stops reading and says why. */
export async function cancel(run: Run): Promise<void> {
  if (hasEnded(run)) return;
  if (!run.sent) {
    reader.drop(run);
    run.state = "cancelled";
    saved.save(run);
    return changed(run);
  }
  try {
    const { agentId, requestId } = run;
    const { found } = await client.cancel(agentId, requestId, "cancelled in the console");
    if (found && run.state === "interrupted") run.state = "cancelled";
  } catch (thrown) {
    if (hasEnded(run)) return;
    run.problem = readProblem(thrown);
    // An answer that comes is read on; one that does not come would be tried for minutes.
    if (run.state !== "streaming") {
      reader.drop(run);
      run.state = "interrupted";
    }
  }
  saved.save(run);
  changed(run);
}

/** Forgets the runs of a conversation in this tab. Those that go on go on in their agent. */
export function forgetRuns(agentId: string, conversationId: string): void {
  forget((run) => run.agentId === agentId && run.conversationId === conversationId);
}

/** Forgets every run of this tab: whoever comes next may be somebody else. */
export function forgetAllRuns(): void {
  forget(() => true);
}

function forget(which: (run: Run) => boolean): void {
  const gone = runs.value.filter(which);
  runs.value = runs.value.filter((run) => !which(run));
  for (const run of gone) {
    reader.drop(run);
    saved.forget(run.requestId);
  }
}

function changed(run: Run): void {
  if (dirty.size === 0) requestAnimationFrame(draw);
  dirty.add(run);
}

function draw(): void {
  const changedRuns = [...dirty];
  dirty.clear();
  for (const run of changedRuns) versionOf(run).value++;
}

function withoutOldest(list: readonly Run[]): readonly Run[] {
  const oldest = list.find((run) => !isActive(run));
  if (oldest !== undefined) saved.forget(oldest.requestId);
  return list.filter((run) => run !== oldest);
}
