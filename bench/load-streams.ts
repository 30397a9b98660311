import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { StreamRequestSchema } from "../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { MARK } from "./text.ts";

/** Operations that were seen to complete. */
export interface Counter {
  count: number;
}

const MARK_BYTE = MARK.charCodeAt(0);
/** All sockets read into one buffer, so that reading costs this core little. */
const shared = Buffer.allocUnsafe(256 * 1024);

/** Sends a request over HTTP/1.1 and counts the marks of the chunks that come back, whatever frames them. */
export function startMarks(port: number, request: string, counter: Counter): void {
  let begun = false;
  const socket = connect({
    port,
    host: "127.0.0.1",
    onread: {
      buffer: shared,
      callback(length, buffer) {
        const bytes = (buffer as Buffer).subarray(0, length);
        if (!begun) {
          begun = true;
          if (bytes.toString("latin1", 0, 12) !== "HTTP/1.1 200") fail(bytes.toString("latin1"));
        }
        counter.count += countMarks(bytes);
        return true;
      },
    },
  });
  socket.on("close", () => fail("a stream ended"));
  socket.write(request, "latin1");
}

function countMarks(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(MARK_BYTE); at >= 0; at = bytes.indexOf(MARK_BYTE, at + 1)) count++;
  return count;
}

/** Bytes that a server may send ahead in one HTTP/2 stream; sixteen times as much in all. */
const WINDOW = 1024 * 1024;

/** Streams in one HTTP/2 connection; a server may allow no more than a hundred. */
export const STREAMS_A_CONNECTION = 100;

let session: ClientHttp2Session | undefined;
let streams = 0;

/** Streams over gRPC, a hundred in one HTTP/2 connection, and counts messages by their envelopes. */
export function startEnvelopes(port: number, agentId: string, content: string, counter: Counter): void {
  if (session === undefined || streams++ % STREAMS_A_CONNECTION === 0) session = openSession(port);
  const stream = session.request({
    ":method": "POST",
    ":path": "/valinor.v1.AgentProxy/Stream",
    "content-type": "application/grpc+proto",
    te: "trailers",
  });
  const message = toBinary(
    StreamRequestSchema,
    create(StreamRequestSchema, { agentId, message: { role: "user", content } }),
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  const hop = createHopper(counter);
  stream.on("data", hop);
  stream.on("close", () => fail("a stream ended"));
}

function openSession(port: number): ClientHttp2Session {
  const opened = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: WINDOW } });
  opened.once("connect", () => opened.setLocalWindowSize(16 * WINDOW));
  return opened;
}

/** Hops from envelope to envelope (a flag byte, 4 bytes of length, the message). The first message is `opened`. */
function createHopper(counter: Counter): (bytes: Buffer) => void {
  const head = Buffer.alloc(5);
  let have = 0; // bytes of the head
  let skip = 0; // bytes left of the message
  let messages = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length;) {
      if (skip > 0) {
        const step = Math.min(skip, bytes.length - at);
        skip -= step;
        at += step;
        continue;
      }
      head[have++] = bytes[at++] as number;
      if (have < 5) continue;
      have = 0;
      skip = head.readUInt32BE(1);
      if (++messages > 1) counter.count++;
    }
  };
}

function fail(why: string): never {
  console.error(`load: ${why}`);
  process.exit(1);
}
