/**
 * Unary gRPC calls over HTTP/2 by the least that a client can do: the head of every request is the same bytes, and of an answer only
 * the frames' heads are read. Node's own client takes more of its core than a server of this benchmark does of its own.
 */
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { once } from "node:events";
import { fromBinary } from "@bufbuild/protobuf";
import { SendMessageResponseSchema } from "../gen/ts/valinor/v1/agent_proxy_pb.ts";
import type { CallCounter } from "./load-unary.ts";

const PATH = "/valinor.v1.AgentProxy/SendMessage";
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const FRAME_HEAD = 9;
const [DATA, HEADERS, SETTINGS, PING] = [0, 1, 4, 6];
const [RST_STREAM, GOAWAY, WINDOW_UPDATE] = [3, 7, 8];
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
/** What the server may send ahead on a connection; given again when half of it is used. */
const WINDOW = 1 << 30;

/** Several callers on one connection, each of which sends its next call when the last one is answered. */
export class GrpcCaller {
  readonly #socket: Socket;
  readonly #counter: CallCounter;
  readonly #head: Buffer;
  readonly #bodies: readonly Buffer[];
  /** Caller and begin of each call that waits, by stream. */
  readonly #calls = new Map<number, { readonly caller: number; readonly began: number; bytes: number }>();
  #nextStream = 1;
  #unread: Buffer = Buffer.alloc(0);
  #taken = 0;

  /** `messages`: one for each caller, with its gRPC prefix. */
  constructor(port: number, messages: readonly Buffer[], counter: CallCounter) {
    this.#counter = counter;
    this.#head = headOf(port);
    this.#bodies = messages;
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (bytes: Buffer) => this.#read(bytes));
    this.#socket.on("close", () => fail("a connection ended"));
  }

  /** Opens the connection, and sends every caller's first call. */
  start(): void {
    const first = this.#bodies.flatMap((_, caller) => this.#request(caller));
    const opening = [PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0)), windowUpdate(WINDOW)];
    this.#socket.write(Buffer.concat([...opening, ...first]));
  }

  /** The frames of a caller's next call. */
  #request(caller: number): Buffer[] {
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#calls.set(stream, { caller, began: performance.now(), bytes: 0 });
    const body = this.#bodies[caller] as Buffer;
    return [frame(HEADERS, END_HEADERS, stream, this.#head), frame(DATA, END_STREAM, stream, body)];
  }

  /** Takes every whole frame, and sends what they lead to in one write. */
  #read(bytes: Buffer): void {
    const all = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    const replies: Buffer[] = [];
    let at = 0;
    while (all.length - at >= FRAME_HEAD) {
      const length = all.readUIntBE(at, 3);
      const end = at + FRAME_HEAD + length;
      if (all.length < end) break;
      const stream = all.readUInt32BE(at + 5) & 0x7fffffff;
      replies.push(
        ...this.#onFrame(all[at + 3] as number, all[at + 4] as number, stream, all, end - length, end),
      );
      at = end;
    }
    this.#unread = all.subarray(at);
    if (replies.length > 0) this.#socket.write(Buffer.concat(replies));
  }

  #onFrame(type: number, flags: number, stream: number, all: Buffer, from: number, to: number): Buffer[] {
    if (type === SETTINGS) return (flags & ACK) === 0 ? [frame(SETTINGS, ACK, 0, Buffer.alloc(0))] : [];
    if (type === PING) return (flags & ACK) === 0 ? [frame(PING, ACK, 0, all.subarray(from, to))] : [];
    if (type === WINDOW_UPDATE) return [];
    if (type === RST_STREAM || type === GOAWAY) fail(`the server sent a frame of type ${type}`);
    const call = this.#calls.get(stream);
    if (call === undefined) return [];
    if (type === DATA) {
      call.bytes += to - from;
      this.#taken += to - from;
    }
    if ((flags & END_STREAM) === 0) return [];
    // An error has a status and no message.
    if (call.bytes === 0) fail("a call was not answered with a message");
    this.#calls.delete(stream);
    this.#counter.count++;
    this.#counter.latencies.add(performance.now() - call.began);
    return [...this.#request(call.caller), ...this.#moreWindow()];
  }

  #moreWindow(): Buffer[] {
    if (this.#taken < WINDOW / 2) return [];
    const update = windowUpdate(this.#taken);
    this.#taken = 0;
    return [update];
  }
}

/** Makes one call with Node's own client, and throws unless it is answered with a message and the status 0. */
export async function expectAnswer(port: number, message: Buffer): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    const trailers = once(stream, "trailers");
    stream.end(message);
    const answer = Buffer.from(await text(stream.setEncoding("latin1")), "latin1");
    const [{ "grpc-status": status }] = (await trailers) as [{ "grpc-status"?: string }];
    const { content } = fromBinary(SendMessageResponseSchema, answer.subarray(5));
    if (status !== "0" || content === "")
      throw new Error(`gRPC status ${status}, text ${JSON.stringify(content)}`);
  } finally {
    session.close();
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEAD + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, FRAME_HEAD);
  return bytes;
}

function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(WINDOW_UPDATE, 0, 0, payload);
}

/** Each field literally and without indexing (RFC 7541, 6.2.2): no state is kept from call to call. */
function headOf(port: number): Buffer {
  const fields = {
    ":method": "POST",
    ":scheme": "http",
    ":path": PATH,
    ":authority": `127.0.0.1:${port}`,
    "content-type": "application/grpc+proto",
    te: "trailers",
  };
  return Buffer.concat(
    Object.entries(fields).map(([name, value]) =>
      Buffer.from(
        `\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`,
        "latin1",
      ),
    ),
  );
}

function fail(why: string): never {
  console.error(`load: ${why}`);
  process.exit(1);
}
