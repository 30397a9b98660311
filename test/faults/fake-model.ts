/**
 * A fake model as a program of its own, so that it can be killed: `node fake-model.ts PORT FILE`. It speaks OpenAI's streamed chat
 * completions on 127.0.0.1, says what answers.ts says, and writes the id of each request into the file before it answers.
 */
import { appendFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, readMessage } from "./answers.ts";

const [, , port = "0", file = ""] = process.argv;

const server = createServer((req, res) => {
  if (req.url !== "/v1/chat/completions") return void res.writeHead(404).end();
  complete(req, res).catch(() => res.destroy());
});
server.listen(Number(port), "127.0.0.1", () => console.log("listening"));

async function complete(req: IncomingMessage, res: ServerResponse): Promise<void> {
  let body = "";
  req.setEncoding("utf8");
  for await (const part of req) body += part;
  const { messages } = JSON.parse(body) as { messages: { content: string }[] };
  const request = readMessage(messages.at(-1)?.content ?? "");
  if (request === undefined) return void res.writeHead(400).end();
  appendFileSync(file, `${request.id}\n`);
  res.writeHead(200, { "content-type": "text/event-stream" });
  await say(res, request.answer);
}

async function say(res: ServerResponse, { pieces, paceMs }: Answer): Promise<void> {
  for (const content of pieces) {
    if (paceMs > 0) await sleep(paceMs);
    if (res.destroyed) return;
    res.write(event({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }));
  }
  res.write(event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }));
  res.end("data: [DONE]\n\n");
}

function event(value: object): string {
  return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", model: "fake", created: 0, ...value })}\n\n`;
}
