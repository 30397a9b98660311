import { Failure, type Message, type OpenedRun } from "@valinor/protocol";
import { requestIdReused } from "./lost-runs.ts";
import type { Run } from "./run.ts";

/**
 * Lets a message read a run that the guest holds. Throws Failure, which touches no run: if the message is another one than the run's, if
 * what its reader has seen is not of this run, or if the next events are gone.
 */
export function attachTo(run: Run, message: Message): OpenedRun {
  // A frame without a message asks for whatever the id names.
  if (message.role !== undefined && message.hash !== run.hash) throw requestIdReused();
  checkLife(run, message);
  return { run, attached: true, next: nextEvent(run, message.afterSequence) };
}

/**
 * A reader goes on with the run that it has read, or not at all. The same name can stand for another run if this boot forgot the
 * first; and for another answer of the same run if the machine was put back to a time before some of its events.
 */
function checkLife({ life, journal }: Run, { runLife, runSeen }: Message): void {
  if (runLife !== "" && runLife !== life)
    throw new Failure("run_lost", "the run of that name is another one: it began anew");
  if (runSeen === undefined) return;
  const has = journal.has(runSeen.sequence, runSeen.mark);
  if (has === false)
    throw new Failure("run_lost", "the agent was put back to an earlier time: its run is another");
  if (has === undefined) throw new Failure("run_trimmed", "what was read of the run is not kept any more");
}

/** The event after `afterSequence`; of a run that is over, the terminal event again for one who has read it. */
function nextEvent({ journal, ended }: Run, afterSequence: number): number {
  const { first, next } = journal;
  const last = next - 1;
  // Nobody has an event that was not sent: the one who asks has read the answer of another life.
  if (afterSequence > last)
    throw new Failure("run_lost", `event ${afterSequence} was read of another run: this one has ${last}`);
  const wanted = ended ? Math.min(afterSequence + 1, last) : afterSequence + 1;
  if (wanted < first) throw new Failure("run_trimmed", "the next event of the run is not kept any more");
  return wanted;
}
