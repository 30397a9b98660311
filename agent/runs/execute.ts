import type { Bounds } from "../bounds.ts";
import { callable } from "./client-tools.ts";
import type { AppliedConfig } from "../settings/config.ts";
import { ENVELOPE_BYTES, splitText } from "./events.ts";
import { Failure } from "./failure.ts";
import { errorName, type Log } from "../log.ts";
import type { OpenClaw } from "../openclaw/client.ts";
import type { ModelEvent } from "../openclaw/answer/completion.ts";
import type { ModelRequest } from "../openclaw/request.ts";
import type { Run } from "./run.ts";

/** What a run is executed with. */
export interface Execution {
  readonly openclaw: OpenClaw;
  readonly bounds: Bounds;
  readonly log: Log;
  readonly request: ModelRequest;
  readonly config: AppliedConfig;
}

/** An execution and what its model may call. */
interface Checked extends Execution {
  allows(tool: string): boolean;
}

/**
 * Executes a run: calls the model and puts its answer into the journal, until the run ends. Never rejects. A tool of the client
 * that the policy does not list ends the run before the model is called.
 */
export async function execute(run: Run, execution: Execution): Promise<void> {
  const { openclaw, request, config, log } = execution;
  if (run.ended) return;
  const checked: Checked = { ...execution, allows: callable((tool) => config.allows(tool), request.tools) };
  const refused = request.tools.find(({ name }) => !checked.allows(name));
  if (refused !== undefined) return run.toolBlocked(refused.name);
  const onTool = (name: string) => {
    if (!checked.allows(name)) run.toolBlocked(name);
  };
  // Where every tool is allowed there is nothing to watch, and watching is not free.
  const watch = config.policy.mode === "all" ? undefined : onTool;
  try {
    await openclaw.run(request, run.signal, (events) => takeEvents(run, events, checked), watch);
  } catch (error) {
    if (run.ended) return; // what follows an abort is no news
    const failure = Failure.from(error);
    const reason = failure.cause === undefined ? undefined : errorName(failure.cause);
    log.warn("run_failed", { request_id: run.requestId, code: failure.code, reason });
    run.fail(failure.code, failure.message);
  }
}

/** Applies a list of events; answers a promise only where the journal was full and something must wait. */
function takeEvents(run: Run, events: readonly ModelEvent[], execution: Checked): Promise<void> | undefined {
  run.heard();
  for (let i = 0; i < events.length; i++) {
    if (run.blocked) return takeSlowly(run, events.slice(i), execution);
    const event = events[i] as ModelEvent;
    if (event.kind === "text" && !isShort(event.text, execution.bounds)) {
      return takeSlowly(run, events.slice(i), execution);
    }
    takeEvent(run, event, execution);
  }
  return run.blocked ? run.room() : undefined;
}

/** The same, waiting for room before each event and each piece of a long text. */
async function takeSlowly(run: Run, events: readonly ModelEvent[], execution: Checked): Promise<void> {
  for (const event of events) {
    const pieces = event.kind === "text" ? splitText(event.text, textBytes(execution.bounds)) : [];
    for (const text of pieces) {
      await run.room();
      run.text(text);
    }
    await run.room();
    if (event.kind !== "text") takeEvent(run, event, execution);
  }
}

/** Applies one event whose text, where it has any, fits into a frame. */
function takeEvent(run: Run, event: ModelEvent, execution: Checked): void {
  switch (event.kind) {
    case "text":
      return run.text(event.text);
    case "tool_call":
      if (!execution.allows(event.call.name)) return run.toolBlocked(event.call.name);
      return run.toolCall(event.call.id, event.call.name, event.call.arguments);
    case "finish":
      return run.done(event.finishReason, event.usage);
  }
}

function textBytes(bounds: Bounds): number {
  return bounds.chunkBytes - ENVELOPE_BYTES;
}

/** True for text that fits into a frame however it is escaped. */
function isShort(text: string, bounds: Bounds): boolean {
  return text.length * 6 + 2 <= textBytes(bounds);
}
