import { connect } from "node:net";
import type { Latencies } from "./latency.ts";

/** Calls that were seen to complete. */
export interface CallCounter {
  count: number;
  readonly latencies: Latencies;
}

/**
 * Sends a request over and over on one keep-alive connection, the next so many milliseconds after the answer to the last is
 * complete.
 */
export function startUnary(port: number, request: string, counter: CallCounter, pauseMs = 0): void {
  const bytes = Buffer.from(request, "latin1");
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  let answer = "";
  let began = performance.now();
  const send = () => {
    began = performance.now();
    socket.write(bytes);
  };
  socket.on("data", (part: Buffer) => {
    answer += part.toString("latin1");
    if (!isComplete(answer)) return;
    if (!answer.startsWith("HTTP/1.1 200")) {
      console.error(`load: ${answer}`);
      process.exit(1);
    }
    answer = "";
    counter.count++;
    counter.latencies.add(performance.now() - began);
    if (pauseMs > 0) setTimeout(send, pauseMs);
    else send();
  });
  socket.on("close", () => {
    console.error("load: a connection ended");
    process.exit(1);
  });
  send();
}

/** True for a whole response of HTTP/1.1, with a length or in chunks. */
function isComplete(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(answer.slice(0, end + 2))?.[1];
  if (length === undefined) return answer.endsWith("\r\n0\r\n\r\n");
  return answer.length === end + 4 + Number(length);
}
