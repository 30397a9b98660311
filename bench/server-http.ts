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

function answerMessage(link: FloorLink, content: string, res: ServerResponse): void {
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

/** Bodies of a REST call, whose path names the agent, and of a Connect call. */
interface Body {
  readonly content?: string;
  readonly agentId?: string;
  readonly message?: { readonly content: string };
}

/** Answers `/agents/{id}/stream`, `/agents/{id}/message`, and a unary call of Connect. */
function handle(req: IncomingMessage, res: ServerResponse): void {
  const [, , agentId = "", rest = ""] = (req.url ?? "").split("/");
  if (rest.startsWith("stream")) {
    const message = decodeURIComponent(rest.slice("stream?message=".length));
    return streamEvents(linkOf(agentId), (JSON.parse(message) as { content: string }).content, res);
  }
  let body = "";
  req.setEncoding("utf8").on("data", (part: string) => (body += part));
  req.on("end", () => {
    const { content, message, agentId: named = agentId } = JSON.parse(body) as Body;
    answerMessage(linkOf(named), content ?? message?.content ?? "", res);
  });
}

const server = createServer({ noDelay: true, keepAliveTimeout: 75_000 }, handle);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
serveControl([(server.address() as AddressInfo).port], () => 0);
