/**
 * Clients of a chat completions API: each sends one request after the other on a keep-alive connection. Counts chunks of streams, or
 * answers, and takes the time of each: until the first chunk of a stream, or until the whole answer.
 */
import { connect } from "node:net";
import { argument, serveControl } from "../control.ts";
import { Latencies } from "../latency.ts";
import { isComplete } from "../load-unary.ts";
import { MARK } from "../text.ts";
import { CHUNKS, requestBody } from "./script.ts";

/** The process's argument. */
export interface GatewayLoadArgument {
  readonly port: number;
  readonly path: string;
  readonly model: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clients: number;
  readonly stream: boolean;
}

const load = argument() as GatewayLoadArgument;
const latencies = new Latencies();
let count = 0;
for (let client = 0; client < load.clients; client++) startClient(Buffer.from(requestOf(load), "latin1"));
serveControl(
  [],
  () => count,
  () => latencies.take(),
);

function requestOf({ port, path, model, headers, stream }: GatewayLoadArgument): string {
  const body = requestBody(stream, model);
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    "content-type": "application/json",
    "content-length": String(body.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** Sends the request over and over. A connection that the server closes after a whole answer is opened again. */
function startClient(request: Buffer): void {
  let answer = "";
  let marks = 0;
  let began = 0;
  const socket = connect({ port: load.port, host: "127.0.0.1", noDelay: true });
  const send = () => {
    answer = "";
    marks = 0;
    began = performance.now();
    socket.write(request);
  };
  socket.on("data", (bytes: Buffer) => {
    const part = bytes.toString("latin1");
    answer += part;
    if (load.stream) {
      const more = part.split(MARK).length - 1;
      if (marks === 0 && more > 0) latencies.add(performance.now() - began);
      marks += more;
      count += more;
    }
    if (!isComplete(answer)) return;
    if (!answer.startsWith("HTTP/1.1 200") || (load.stream && marks !== CHUNKS))
      fail(`${marks} chunks came of ${CHUNKS}: ${answer.slice(0, 2_000)}`);
    if (!load.stream) {
      if (!answer.includes(MARK)) fail(answer);
      count++;
      latencies.add(performance.now() - began);
    }
    if (/^connection: *close/im.test(answer)) socket.end();
    else send();
  });
  socket.on("error", (error) => fail(error.message));
  socket.on("close", () => (isComplete(answer) ? startClient(request) : fail("a connection ended")));
  send();
}

function fail(why: string): never {
  console.error(`load: ${why}`);
  process.exit(1);
}
