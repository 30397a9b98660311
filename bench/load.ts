/** The clients: streams that count chunks, or connections that send one unary call after the other. */
import { argument, serveControl } from "./control.ts";
import { type Counter, startEnvelopes, startMarks } from "./load-streams.ts";
import { startUnary } from "./load-unary.ts";

/** What a client speaks; `rest` and `connect-unary` are unary. */
export type Speaks = "sse" | "connect" | "grpc" | "rest" | "connect-unary";

/** The process's argument. */
export interface LoadArgument {
  readonly speaks: Speaks;
  readonly port: number;
  readonly clients: number;
  readonly agents: number;
  /** Content of every message: what the fake guest is to do. */
  readonly content: string;
}

const load = argument() as LoadArgument;
const counter: Counter = { count: 0 };
for (let index = 0; index < load.clients; index++) start(load, `bench${index % load.agents}`, counter);
serveControl([], () => counter.count);

function start({ speaks, port, content }: LoadArgument, agentId: string, into: Counter): void {
  switch (speaks) {
    case "sse":
      return startMarks(port, sseRequest(port, agentId, content), into);
    case "connect":
      return startMarks(port, connectRequest(port, agentId, content), into);
    case "grpc":
      return startEnvelopes(port, agentId, content, into);
    case "rest": {
      const body = JSON.stringify({ content });
      return startUnary(port, post(port, `/agents/${agentId}/message`, "application/json", body), into);
    }
    case "connect-unary": {
      const body = JSON.stringify({ agentId, message: { role: "user", content } });
      const path = "/valinor.v1.AgentProxy/SendMessage";
      return startUnary(port, post(port, path, "application/json", body), into);
    }
  }
}

function sseRequest(port: number, agentId: string, content: string): string {
  const message = encodeURIComponent(JSON.stringify({ content }));
  const head = `GET /agents/${agentId}/stream?message=${message} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n`;
  return `${head}accept: text/event-stream\r\n\r\n`;
}

function connectRequest(port: number, agentId: string, content: string): string {
  const json = JSON.stringify({ agentId, message: { role: "user", content } });
  // The length's high bytes are 0 and its low byte is below 128: the envelope is ASCII.
  const envelope = `\0\0\0\0${String.fromCharCode(json.length)}${json}`;
  return post(port, "/valinor.v1.AgentProxy/Stream", "application/connect+json", envelope);
}

function post(port: number, path: string, type: string, body: string): string {
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: ${type}\r\n`;
  // A request that says so is none of REST's.
  const version = path.startsWith("/valinor.") ? "connect-protocol-version: 1\r\n" : "";
  return `${head}${version}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
