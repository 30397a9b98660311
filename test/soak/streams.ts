import { request, type Agent } from "node:http";
import { CHUNKS, chunkText } from "./guests.ts";

/** What became of streams so far. */
export interface Tally {
  finished: number;
  chunks: number;
  /** What went wrong with those that did not end as they should, the first few in words. */
  readonly dropped: string[];
}

/** Reads streams one after the other, of one agent, until the signal aborts; a stream that is cut then is no drop. */
export async function readStreams(
  url: string,
  agent: Agent,
  id: string,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const wrong = await readOne(url, agent, id, tally, signal).catch((error: unknown) => String(error));
    if (signal.aborted) return;
    if (wrong === undefined) tally.finished++;
    else tally.dropped.push(`${id}: ${wrong}`);
  }
}

/** Reads a stream as server-sent events; answers what is wrong with it. */
function readOne(
  url: string,
  agent: Agent,
  id: string,
  tally: Tally,
  signal: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", accept: "text/event-stream" };
    const req = request(`${url}/agents/${id}/stream`, { method: "POST", agent, signal, headers }, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (piece: string) => (text += piece));
      res.on("error", reject);
      res.on("end", () =>
        resolve(res.statusCode === 200 ? judge(text, tally) : `${res.statusCode} ${text.slice(0, 300)}`),
      );
    });
    req.on("error", reject);
    req.end('{"content":"go on"}');
  });
}

/** Every chunk in order and once, and the end. */
function judge(text: string, tally: Tally): string | undefined {
  const events = [...text.matchAll(/^data: (\{.*\})$/gm)].map(
    ([, json]) => JSON.parse(json as string) as Record<string, unknown>,
  );
  const texts = events
    .map(({ content }) => content)
    .filter((content) => typeof content === "string" && content !== "");
  tally.chunks += texts.length;
  const wrong = texts.findIndex((content, at) => content !== chunkText(at + 1));
  if (wrong >= 0) return `chunk ${wrong + 1} is ${JSON.stringify(texts[wrong])}`;
  if (texts.length !== CHUNKS)
    return `it ended after ${texts.length} of ${CHUNKS} chunks: ${text.slice(-200)}`;
  return /^event: done$/m.test(text) ? undefined : `it ended without done: ${text.slice(-200)}`;
}
