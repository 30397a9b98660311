/**
 * A scripted model: answers chat completions at once, streamed or not, if the message says so, else with 50 events of 60 bytes of text,
 * one every 10 ms. The process's argument is null; it counts requests.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { argument, serveControl } from "../control.ts";
import { CHUNK_TEXT } from "../text.ts";
import { AT_ONCE, CHUNKS, completion, eventOf, PACE_MS } from "./script.ts";

const CHUNK = eventOf(CHUNK_TEXT);
const END = `${eventOf(undefined)}data: [DONE]\n\n`;
const WHOLE = completion();

let answered = 0;

async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const body = await text(req);
  if (req.method !== "POST") {
    return void res.writeHead(200, { "content-type": "application/json" }).end('{"object":"list","data":[]}');
  }
  answered++;
  const { stream = false } = JSON.parse(body) as { stream?: boolean };
  if (stream) return body.includes(AT_ONCE) ? streamAtOnce(res) : streamChunks(res);
  const length = Buffer.byteLength(WHOLE);
  res.writeHead(200, { "content-type": "application/json", "content-length": length }).end(WHOLE);
}

function streamAtOnce(res: ServerResponse): void {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" }).end(CHUNK + END);
}

function streamChunks(res: ServerResponse): void {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  let sent = 0;
  const timer = setInterval(() => {
    if (sent++ < CHUNKS) return void res.write(CHUNK);
    clearInterval(timer);
    res.end(END);
  }, PACE_MS);
  res.on("close", () => clearInterval(timer));
}

argument();
const server = createServer({ noDelay: true, keepAliveTimeout: 75_000 }, (req, res) => {
  handle(req, res).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
});
server.listen(0, "127.0.0.1", () => serveControl([(server.address() as AddressInfo).port], () => answered));
