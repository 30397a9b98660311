/**
 * A model that floods: answers every chat completion with an endless stream of OpenAI's chunks, as fast as the client reads,
 * many in one write. It answers /readyz as OpenClaw does, and has the gateway of the tests, a fake that keeps a configuration. The process's
 * argument is null; it counts the chunks that it has handed to sockets.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { attachGateway } from "../test/agent/fake-gateway.ts";
import { serveControl } from "./control.ts";
import { CHUNK_TEXT } from "./text.ts";

/** Chunks of one write; together less than the 64 KiB that the agent reads at a time. */
const BATCH = 200;

const chunk = {
  id: "chatcmpl-bench",
  object: "chat.completion.chunk",
  created: 1_760_000_000,
  model: "flood",
  choices: [{ index: 0, delta: { content: CHUNK_TEXT }, finish_reason: null }],
};
const batch = Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`.repeat(BATCH));

let written = 0;

function flood(res: ServerResponse): void {
  do written += BATCH;
  while (!res.destroyed && res.write(batch));
}

const server = createServer((req, res) => {
  req.resume();
  if (req.url === "/readyz") return void res.end(JSON.stringify({ ready: true, failing: [], uptimeMs: 5 }));
  if (req.url !== "/v1/chat/completions") return void res.writeHead(404).end();
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.on("drain", () => flood(res));
  flood(res);
});
attachGateway(server);
server.listen(0, "127.0.0.1", () => serveControl([(server.address() as AddressInfo).port], () => written));
