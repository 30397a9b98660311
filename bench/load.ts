/** The clients of a server: streams that count chunks, or connections that send one unary call after the other. */
import { argument, serveControl, setNice } from "./control.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { SendMessageRequestSchema } from "../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { Latencies } from "./latency.ts";
import { expectAnswer, GrpcCaller } from "./load-grpc.ts";
import { startEnvelopes, startMarks, STREAMS_A_CONNECTION } from "./load-streams.ts";
import { type CallCounter, startUnary } from "./load-unary.ts";

/**
 * What a client speaks; those from `rest` on are unary. `grpc` and `grpc-unary` have one connection for every hundred clients,
 * `grpc-apart` one for each. `ready` asks whether the server is ready.
 */
export type Speaks =
  | "sse"
  | "connect"
  | "grpc"
  | "rest"
  | "connect-unary"
  | "grpc-unary"
  | "grpc-apart"
  | "ready";

/** The process's argument. */
export interface LoadArgument {
  readonly speaks: Speaks;
  readonly port: number;
  readonly clients: number;
  readonly agents: number;
  /** Content of every message: what the fake guest is to do. */
  readonly content: string;
  /** Number of the first agent (0). */
  readonly firstAgent?: number;
  /** Pause between two calls of `rest` and `ready`, milliseconds (0). */
  readonly pauseMs?: number;
  /** Priority of the process, as os.setPriority takes it (0); what may not be set is left. */
  readonly nice?: number;
}

const load = argument() as LoadArgument;
setNice(load.nice ?? 0);
const counter: CallCounter = { count: 0, latencies: new Latencies() };
await start(load, counter);
serveControl(
  [],
  () => counter.count,
  () => counter.latencies.take(),
);

async function start(load: LoadArgument, into: CallCounter): Promise<void> {
  const { speaks, port, content, clients, agents, firstAgent = 0, pauseMs = 0 } = load;
  const agentIds = Array.from({ length: clients }, (_, index) => `bench${firstAgent + (index % agents)}`);
  switch (speaks) {
    case "sse":
      return agentIds.forEach((agentId) => startMarks(port, sseRequest(port, agentId, content), into));
    case "connect":
      return agentIds.forEach((agentId) => startMarks(port, connectRequest(port, agentId, content), into));
    case "grpc":
      return agentIds.forEach((agentId) => startEnvelopes(port, agentId, content, into));
    case "rest":
      return agentIds.forEach((agentId) =>
        startUnary(port, restRequest(port, agentId, content), into, pauseMs),
      );
    case "ready":
      return agentIds.forEach(() => startUnary(port, readyRequest(port), into, pauseMs));
    case "connect-unary":
      return agentIds.forEach((agentId) => startUnary(port, connectCall(port, agentId, content), into));
    case "grpc-unary":
    case "grpc-apart":
      return startGrpc(
        port,
        agentIds.map((agentId) => grpcMessage(agentId, content)),
        speaks,
        into,
      );
  }
}

async function startGrpc(port: number, messages: Buffer[], speaks: Speaks, into: CallCounter): Promise<void> {
  const [first = Buffer.alloc(0)] = messages;
  await expectAnswer(port, first);
  const together = speaks === "grpc-unary" ? STREAMS_A_CONNECTION : 1;
  for (let at = 0; at < messages.length; at += together)
    new GrpcCaller(port, messages.slice(at, at + together), into).start();
}

/** A request of gRPC: a flag byte, 4 bytes of length, the message. */
function grpcMessage(agentId: string, content: string): Buffer {
  const request = create(SendMessageRequestSchema, { agentId, message: { role: "user", content } });
  const message = toBinary(SendMessageRequestSchema, request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function readyRequest(port: number): string {
  return `GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`;
}

function restRequest(port: number, agentId: string, content: string): string {
  return post(port, `/agents/${agentId}/message`, "application/json", JSON.stringify({ content }));
}

function connectCall(port: number, agentId: string, content: string): string {
  const body = JSON.stringify({ agentId, message: { role: "user", content } });
  return post(port, "/valinor.v1.AgentProxy/SendMessage", "application/json", body);
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
