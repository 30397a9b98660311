/** The floor for HTTP: the same event streams and answers from bare node:http, one write a stream and read of the link. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { argument, serveControl } from "./control.ts";
import { type FloorLink, openFloorLinks } from "./floor-link.ts";
import type { ServerArgument } from "./server-argument.ts";

const { guestPorts } = argument() as ServerArgument;
const linkOf = await openFloorLinks(guestPorts);

function streamEvents(link: FloorLink, content: string, res: ServerResponse): void {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  let text = "";
  const exchange = link.open(content, {
    chunk(payload) {
      text += `id: run/${Number(payload["sequence"])}\nevent: chunk\ndata: ${JSON.stringify(payload)}\n\n`;
    },
    flush() {
      const taken = res.write(text);
      text = "";
      if (taken) exchange.release();
    },
  });
  res.on("drain", () => exchange.release());
  res.on("close", () => exchange.detach());
}

function answerMessage(link: FloorLink, body: string, res: ServerResponse): void {
  const { content } = JSON.parse(body) as { content: string };
  let text = "";
  link.open(content, {
    chunk(payload) {
      text += String(payload["content"]);
      if (payload["done"] !== true) return;
      const answer = JSON.stringify({ content: text });
      const length = Buffer.byteLength(answer);
      res.writeHead(200, { "content-type": "application/json", "content-length": length }).end(answer);
    },
    flush() {},
  });
}

/** Answers `/agents/{id}/stream` and `/agents/{id}/message`. */
function handle(req: IncomingMessage, res: ServerResponse): void {
  const [, , agentId = "", rest = ""] = (req.url ?? "").split("/");
  const link = linkOf(agentId);
  if (rest.startsWith("stream")) {
    const message = decodeURIComponent(rest.slice("stream?message=".length));
    return streamEvents(link, (JSON.parse(message) as { content: string }).content, res);
  }
  let body = "";
  req.setEncoding("utf8").on("data", (part: string) => (body += part));
  req.on("end", () => answerMessage(link, body, res));
}

const server = createServer({ noDelay: true, keepAliveTimeout: 75_000 }, handle);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
serveControl([(server.address() as AddressInfo).port], () => 0);
