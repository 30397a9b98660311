import { type EventStream, type StreamEvent, ValinorError } from "@valinor/client";
import type { Environment } from "../../terminal/environment.ts";
import { CliError } from "../../terminal/errors.ts";
import { readInput } from "./input.ts";
import { note, type OutputForm, writeJsonLine, writeOwn, writeText } from "../output.ts";
import { type MessageOptions, messageOptions, patience } from "./reading.ts";
import { toolCallLine, usageJson } from "./send.ts";
import { type ServerOptions, type Session, withServer } from "../session.ts";

/** Flags of `valinor stream`. */
export interface StreamCommandOptions extends ServerOptions, MessageOptions {
  /** Attach to the run of requestId, and read what follows this event. */
  readonly after?: number;
  readonly output?: OutputForm;
}

/**
 * Sends a message, or attaches to a run, and prints the answer as it comes: text to stdout, tool calls to stderr; as JSON, one event a
 * line, the last one `done` or `error`. Ctrl-C cancels the run of a message; one that was attached to goes on. Rejects with CliError.
 */
export async function stream(
  agent: string,
  message: string | undefined,
  options: StreamCommandOptions,
  env: Environment,
): Promise<void> {
  checkAttach(message, options);
  await withServer(options, env, async (session) => {
    const { after } = options;
    const events = await openEvents(session, agent, message, options);
    const print = options.output === "json" ? printJson : createPrinter();
    let last = after ?? 0;
    try {
      for await (const event of events) {
        if (event.type !== "opened") last = event.sequence;
        print(event);
      }
    } catch (error) {
      if (options.output !== "json") print(undefined);
      else if (error instanceof ValinorError) writeJsonLine(errorJson(error, events.requestId));
      tellHowToGoOn(session, error, {
        agent,
        requestId: events.requestId,
        last,
        attached: after !== undefined,
      });
      throw error;
    }
  });
}

/** Prints events as they come for people; `undefined` stands for an end without `done`. */
export function createPrinter(): (event: StreamEvent | undefined) => void {
  let atLineStart = true;
  const endLine = (): void => {
    if (!atLineStart) writeOwn("\n");
    atLineStart = true;
  };
  return (event) => {
    if (event === undefined) return endLine();
    if (event.type === "text" && event.text !== "") {
      writeText(event.text);
      atLineStart = event.text.endsWith("\n");
    } else if (event.type === "tool_call") {
      // Both may be the same terminal.
      if (process.stdout.isTTY) endLine();
      note(toolCallLine(event));
    } else if (event.type === "done") {
      endLine();
      if (!["stop", "tool_calls", ""].includes(event.finishReason)) note(`[ended: ${event.finishReason}]`);
    }
  };
}

/** The events of a new run, or of the run that the flags name. */
async function openEvents(
  session: Session,
  agent: string,
  message: string | undefined,
  options: StreamCommandOptions,
): Promise<EventStream> {
  const { signal, client } = session;
  const { after, requestId } = options;
  if (after !== undefined && requestId !== undefined)
    return client.attach(agent, requestId, { afterSequence: after, ...patience(signal) });
  const text = await readInput(message, "message", { trim: true, signal });
  return client.stream(agent, text, { ...messageOptions(options), ...patience(signal) });
}

function checkAttach(message: string | undefined, { after, requestId }: StreamCommandOptions): void {
  if (after === undefined) return;
  if (requestId === undefined)
    throw new CliError("--after attaches to a run: name it with --request-id", { exitCode: 2 });
  if (message !== undefined)
    throw new CliError("--after attaches to a run: it goes without a message", { exitCode: 2 });
}

/** The run may be going on, or be kept: what a person has read need not be lost. */
function tellHowToGoOn(
  session: Session,
  error: unknown,
  run: { agent: string; requestId: string; last: number; attached: boolean },
): void {
  const ended = error instanceof ValinorError && error.sequence !== undefined;
  const left = session.signal.aborted;
  const lost = error instanceof ValinorError && error.code === "unavailable" && run.last > 0;
  if (ended || !(left ? run.attached : lost)) return;
  note(
    `valinor: the run may go on; read on with: valinor stream ${run.agent} ` +
      `--request-id ${run.requestId} --after ${run.last}`,
  );
}

function printJson(event: StreamEvent | undefined): void {
  if (event !== undefined) writeJsonLine(eventJson(event));
}

function eventJson(event: StreamEvent): object {
  switch (event.type) {
    case "opened": {
      const { type, requestId, bootId, attached, resumable, life } = event;
      return { type, request_id: requestId, boot_id: bootId, attached, resumable, life };
    }
    case "text":
      return { type: event.type, sequence: event.sequence, text: event.text };
    case "tool_call": {
      const { type, sequence, callId, toolName, arguments: args } = event;
      return { type, sequence, call_id: callId, tool_name: toolName, arguments: args };
    }
    case "done": {
      const { type, sequence, finishReason, usage } = event;
      return {
        type,
        sequence,
        finish_reason: finishReason,
        usage: usage === undefined ? null : usageJson(usage),
      };
    }
  }
}

function errorJson(error: ValinorError, requestId: string): object {
  const { reason, code, message, sequence } = error;
  return { type: "error", sequence: sequence ?? null, reason, code, message, request_id: requestId };
}
