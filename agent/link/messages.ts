import { randomUUID } from "node:crypto";
import { execute } from "../runs/execute.ts";
import { Failure } from "../runs/failure.ts";
import { digestOfHash } from "../runs/ledger-digests.ts";
import type { ModelRequest } from "../openclaw/request.ts";
import type { Parts } from "../parts.ts";
import type { Message } from "./payload.ts";
import type { Run } from "../runs/run.ts";

/** The run that a message is about. */
export interface OpenedRun {
  readonly run: Run;
  /** True where it existed before. */
  readonly attached: boolean;
  /** Number of the first event that the exchange wants. */
  readonly next: number;
}

/**
 * Finds the run of a message or begins it. Throws Failure with the code that the exchange ends with: none of them touches
 * a run.
 */
export function openRun(message: Message, parts: Parts): OpenedRun {
  const { requestId, afterSequence, hash } = message;
  const attachOnly = message.role === undefined || afterSequence > 0 || message.runLife !== "";
  if (requestId === "" && attachOnly)
    throw new Failure("invalid_message", "nothing to run and no request_id");
  const known = parts.runs.find(requestId);
  if (known !== undefined) {
    checkHash(message, known.hash);
    checkLife(message, known);
    return { run: known, attached: true, next: nextOf(known, afterSequence) };
  }
  const entry = requestId === "" ? undefined : parts.ledger.find(requestId);
  if (entry !== undefined) {
    if (message.role !== undefined && entry.digest !== digestOfHash(hash)) throw reused();
    throw entry.own
      ? new Failure("run_trimmed", "the events of the run are not kept any more")
      : new Failure("run_lost", "the agent has restarted since it took the request");
  }
  if (attachOnly) throw new Failure("run_unknown", "no run has that request_id");
  return { run: begin(requestId || randomUUID(), hash, message, parts), attached: false, next: 1 };
}

/** A request_id names one message for ever. A frame without a message asks for whatever the id names. */
function checkHash(message: Message, hash: string): void {
  if (message.role !== undefined && message.hash !== hash) throw reused();
}

function reused(): Failure {
  return new Failure("request_id_reused", "the request_id was used with another message");
}

/**
 * A reader goes on with the run that it has read, or not at all. The same name can stand for another run where this boot forgot the
 * first; and for another answer of the same run where the machine was put back to a time before some of its events.
 */
function checkLife({ runLife, runSeen }: Message, { life, journal }: Run): void {
  if (runLife !== "" && runLife !== life)
    throw new Failure("run_lost", "the run of that name is another one: it began anew");
  if (runSeen === undefined) return;
  const has = journal.has(runSeen.sequence, runSeen.mark);
  if (has === false)
    throw new Failure("run_lost", "the agent was put back to an earlier time: its run is another");
  if (has === undefined) throw new Failure("run_trimmed", "what was read of the run is not kept any more");
}

/** The event after `afterSequence`; of a run that is over, the terminal event again for one who has read it. */
function nextOf(run: Run, afterSequence: number): number {
  const { first, next } = run.journal;
  const last = next - 1;
  // Nobody has an event that was not sent: the one who asks has read the answer of another life.
  if (afterSequence > last)
    throw new Failure("run_lost", `event ${afterSequence} was read of another run: this one has ${last}`);
  const wanted = run.ended ? Math.min(afterSequence + 1, last) : afterSequence + 1;
  if (wanted < first) throw new Failure("run_trimmed", "the next event of the run is not kept any more");
  return wanted;
}

function begin(requestId: string, hash: string, message: Message, parts: Parts): Run {
  const config = parts.config.applied;
  if (parts.draining) throw new Failure("draining", "the agent is about to stop");
  if (message.minConfigRevision > config.revision) {
    throw new Failure("config_stale", `config revision ${config.revision} is in force`);
  }
  if (!parts.runs.hasRoom()) throw new Failure("busy", "the agent has all the runs that it can hold");
  const { systemPrompt } = config.settings;
  const request: ModelRequest = {
    role: message.role ?? "user",
    content: message.content,
    toolCallId: message.toolCallId,
    history: message.history,
    tools: message.tools,
    toolChoice: message.toolChoice,
    conversationId: message.conversationId,
    systemTexts: [...(systemPrompt ? [systemPrompt] : []), ...parts.context.texts()],
    settings: config.settings,
  };
  const { openclaw, bounds, log } = parts;
  return parts.runs.begin(requestId, hash, (run) => execute(run, { openclaw, bounds, log, request, config }));
}
