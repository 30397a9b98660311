import type { ServerResponse } from "node:http";
import { onProbe } from "../../core/edge.ts";
import { ValinorError } from "../../core/errors.ts";
import type { RunEvent, RunOpened, RunStream } from "../../core/types.ts";
import { requestLimits } from "../../core/request-limits.ts";
import { readJsonObject } from "../routing/body.ts";
import { type Client, dropClient, writeText } from "../server/client.ts";
import { writeJson } from "../routing/json-answer.ts";
import type { RouteContext } from "../routing/routes.ts";
import { eventJson, runHeaders, SSE_PROBE, sseHeaders } from "../routing/event-stream.ts";
import { type AnswerHead, type ChunkEncoder, chunkEncoder, completionJson } from "./answer.ts";
import { openaiError } from "./errors.ts";
import { type ChatRequest, readChatRequest } from "./request.ts";

/** POST `/v1/chat/completions`: runs the last turn, and answers with a completion or with a stream of chunks. */
export async function chatRoute(context: RouteContext): Promise<void> {
  const { core, caller, client, req, res, options } = context;
  // A history comes along: as much as a frame towards the agent can hold.
  const bounds = { ...options.body, maxBytes: Math.max(options.body.maxBytes, requestLimits.largeBytes) };
  // Schemas of tools are full of bounds such as 2^63-1, and parameters that nobody reads may be any number.
  const body = await readJsonObject(req, bounds, { wholeNumbers: false });
  const request = readChatRequest(body, req.headers);
  if (request.stream) return streamChat(context, request);
  const result = await core.send(caller, request.input, client);
  const { requestId } = result;
  writeJson(res, 200, completionJson(headOf(request, requestId), result), headersOf(result));
}

async function streamChat(context: RouteContext, request: ChatRequest): Promise<void> {
  const { core, caller, client, res, options } = context;
  const run = await core.stream(caller, { ...request.input, afterSequence: 0 }, client.signal, () =>
    dropClient(res),
  );
  client.onGone(() => run.close());
  // What fails before the first event is an error with a status: so SDKs raise the class that is meant.
  const first = await nextOf(run);
  if (client.signal.aborted) return;
  const { requestId } = run.opened;
  res.writeHead(200, { ...sseHeaders, ...headersOf(run.opened) });
  onProbe(res, () => void res.write(SSE_PROBE));
  const encoder = chunkEncoder(headOf(request, requestId), request.includeUsage);
  const { errorOf } = context;
  await pump({ run, res, client, stallMs: options.clientStallMs, encoder, errorOf }, first);
}

interface Pump {
  readonly run: RunStream;
  readonly res: ServerResponse;
  readonly client: Client;
  readonly stallMs: number;
  readonly encoder: ChunkEncoder;
  readonly errorOf: RouteContext["errorOf"];
}

/** Writes the chunks as the events come, one write for each wake. An error is written into the stream, which then has no end mark. */
async function pump(pump: Pump, first: readonly RunEvent[]): Promise<void> {
  const { run, res, client, encoder } = pump;
  let events = first;
  let text = encoder.role();
  for (;;) {
    text += encoder.events(events);
    if (events.at(-1)?.kind === "done") return void res.end(text);
    if (!(await writeText(pump, text))) return run.close();
    text = "";
    try {
      events = await nextOf(run);
    } catch (thrown) {
      const error = pump.errorOf(thrown);
      if (!client.signal.aborted) res.end(`data: ${eventJson(openaiError(error))}\n\n`);
      return;
    }
    if (client.signal.aborted) return;
  }
}

/** The run's next events. An end without a terminal event is never a success. */
async function nextOf(run: RunStream): Promise<readonly RunEvent[]> {
  const events = await run.next();
  if (events !== undefined) return events;
  throw new ValinorError("RUN_INTERRUPTED", "the stream ended before its run");
}

function headOf({ input }: ChatRequest, requestId: string): AnswerHead {
  return { requestId, model: input.agentId, created: Math.floor(Date.now() / 1000) };
}

function headersOf(run: Pick<RunOpened, "requestId" | "resumable">): Record<string, string> {
  return { "x-request-id": run.requestId, ...runHeaders(run) };
}
