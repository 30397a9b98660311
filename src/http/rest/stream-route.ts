import type { ServerResponse } from "node:http";
import { onProbe } from "../../core/edge.ts";
import { StreamBody } from "../../core/stream-body.ts";
import { ValinorError } from "../../core/errors.ts";
import type { StreamInput } from "../../core/inputs.ts";
import type { RunEvent, RunStream } from "../../core/types.ts";
import { invalid, parseJsonObject, readJsonObject } from "../routing/body.ts";
import { type Client, dropClient, writeText } from "../server/client.ts";
import { parseMessage, parseName, parseOnDisconnect } from "./message.ts";
import type { RouteContext } from "../routing/routes.ts";
import { runHeaders, SSE_PROBE, sseHeaders } from "../routing/event-stream.ts";
import { encodeError, encodeEvents, encodeOpened, sequenceOf } from "./sse.ts";
import { NAME_PATTERN } from "@valinor/protocol";

/**
 * GET and POST `stream`: runs a message, or resumes a run by its last event id, and answers with an event stream that has
 * exactly one terminal event (`done`, `error`, `tool_blocked`). What fails before the agent took the message is a JSON error
 * with its status. A resume after the terminal event is 204, which tells an EventSource to stop.
 */
export async function streamRoute(context: RouteContext): Promise<void> {
  const input = await readInput(context);
  const { core, caller, client, res } = context;
  const run = await core.stream(caller, input, client.signal, () => dropClient(res));
  client.onGone(() => run.close());
  let first: Step | undefined;
  if (input.message === undefined) {
    // Only the first event tells whether anything is left to be read, or whether the run cannot be resumed.
    first = await step(run, context.errorOf);
    if (isBehindEnd(first, input.afterSequence)) {
      run.close();
      return void res.writeHead(204, { "cache-control": "no-store" }).end();
    }
    if (first.error !== undefined && sequenceOf(first.error) === undefined) throw first.error;
  }
  if (client.signal.aborted) return;
  const { errorOf, options } = context;
  await pump({ run, res, client, stallMs: options.clientStallMs, first, errorOf });
}

/** What one call of `next` gave. */
interface Step {
  readonly events?: readonly RunEvent[];
  readonly error?: ValinorError;
}

async function step(run: RunStream, errorOf: RouteContext["errorOf"]): Promise<Step> {
  try {
    const events = await run.next();
    return events === undefined ? {} : { events };
  } catch (error) {
    return { error: errorOf(error) };
  }
}

/** True if the client has the run's terminal event already: the agent then sends it again, and nothing else. */
function isBehindEnd(first: Step, afterSequence: number): boolean {
  if (afterSequence === 0) return false;
  if (first.error !== undefined) return sequenceOf(first.error) === afterSequence;
  const event = first.events?.[0];
  return event?.kind === "done" && event.sequence === afterSequence;
}

interface Pump {
  readonly run: RunStream;
  readonly res: ServerResponse;
  readonly client: Client;
  readonly stallMs: number;
  /** The first step, if it was taken already. */
  readonly first: Step | undefined;
  readonly errorOf: RouteContext["errorOf"];
}

/** Writes the run's events as they come, one write for each wake, to the one terminal event. */
async function pump({ run, res, client, stallMs, first, errorOf }: Pump): Promise<void> {
  const { requestId } = run.opened;
  res.writeHead(200, { ...sseHeaders, ...runHeaders(run.opened) });
  const body = new StreamBody(res, { ms: stallMs, drop: () => dropClient(res) });
  onProbe(res, () => body.probe(SSE_PROBE));
  if (!(await writeText({ res, client, stallMs }, encodeOpened(requestId)))) return run.close();
  if (first?.error !== undefined) return void res.end(encodeError(requestId, first.error));
  try {
    for (let events = first?.events ?? (await run.next()); events !== undefined; events = await run.next()) {
      if (client.signal.aborted) return;
      const text = encodeEvents(requestId, events);
      if (events.at(-1)?.kind === "done") return void res.end(text);
      const taken = body.send(text);
      // Of a client that left by itself the run was told already.
      if (taken !== true && !(await taken)) return client.signal.aborted ? undefined : run.close();
    }
  } catch (thrown) {
    const error = errorOf(thrown);
    if (!client.signal.aborted) res.end(encodeError(requestId, error));
    return;
  }
  if (!client.signal.aborted) res.end(encodeError(requestId, endedEarly()));
}

/** An end without a terminal event is never a success. */
function endedEarly(): ValinorError {
  return new ValinorError("RUN_INTERRUPTED", "the stream ended before its run");
}

/** Reads what is wanted from query, body and Last-Event-ID. Throws INVALID_ARGUMENT. */
async function readInput(context: RouteContext): Promise<StreamInput> {
  const { req, query, agentId, options } = context;
  const lastEventId = singleHeader(req.headers["last-event-id"]) ?? query.get("last_event_id") ?? "";
  const named = parseName(query.get("life"), "life");
  const life = named === "" ? {} : { life: named };
  if (lastEventId !== "") return { ...resumeInput(lastEventId), agentId, ...life, ...disconnectOf(query) };
  const body = await readMessageBody();
  const parsed = body === undefined ? undefined : parseMessage(body);
  const requestId = parseName(query.get("request_id"), "request_id") || (parsed?.requestId ?? "");
  if (parsed === undefined && requestId === "") {
    throw invalid("message holds the message as JSON, percent-encoded", "message query param required");
  }
  return {
    agentId,
    requestId,
    conversationId:
      parseName(query.get("conversation_id"), "conversation_id") || (parsed?.conversationId ?? ""),
    allowStaleConfig: parsed?.allowStaleConfig ?? false,
    afterSequence: 0,
    ...life,
    ...(parsed === undefined ? {} : { message: parsed.message }),
    ...disconnectOf(query, parsed?.onDisconnect),
  };

  async function readMessageBody() {
    if (req.method === "POST") return readJsonObject(req, options.body);
    const text = query.get("message") ?? "";
    return text === "" ? undefined : parseJsonObject(Buffer.from(text));
  }
}

function disconnectOf(
  query: ReadonlyMap<string, string>,
  other?: "continue" | "cancel",
): Pick<StreamInput, "onDisconnect"> {
  const onDisconnect = parseOnDisconnect(query.get("on_disconnect")) ?? other;
  return onDisconnect === undefined ? {} : { onDisconnect };
}

const EVENT_ID = new RegExp(`^(${NAME_PATTERN})/(\\d{1,10})$`);

/** `<request_id>/<sequence>`. One that is malformed is refused: running the message instead could run it twice. */
function resumeInput(lastEventId: string): Omit<StreamInput, "agentId"> {
  const match = EVENT_ID.exec(lastEventId);
  const afterSequence = Number(match?.[2]);
  if (match === null || afterSequence > 0xffffffff) {
    throw invalid("an event id is <request_id>/<sequence>", "invalid last event id");
  }
  return { requestId: match[1] ?? "", conversationId: "", allowStaleConfig: false, afterSequence };
}

function singleHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
