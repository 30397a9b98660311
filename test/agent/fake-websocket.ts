import { createHash } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";

/** The server's end of a WebSocket, as far as tests need it: text messages in one frame each. */
export interface FakeSocket {
  send(text: string): void;
  /** Ends the connection without a word. */
  drop(): void;
}

/** What happens on a socket. */
export interface FakeSocketEvents {
  onText(text: string): void;
  onClose(): void;
}

/** Takes WebSockets on a server; `accept` is called with each. */
export function acceptSockets(server: Server, accept: (socket: FakeSocket) => FakeSocketEvents): void {
  server.on("upgrade", (request: IncomingMessage, stream: Duplex) => {
    const key = `${String(request.headers["sec-websocket-key"])}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const answer = createHash("sha1").update(key).digest("base64");
    stream.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`,
    );
    const events = accept({
      send: (text) => void (stream.writable && stream.write(textFrame(text))),
      drop: () => stream.destroy(),
    });
    let read: Buffer = Buffer.alloc(0);
    stream.on("data", (bytes: Buffer) => {
      read = Buffer.concat([read, bytes]);
      for (let frame = takeFrame(read); frame !== undefined; frame = takeFrame(read)) {
        read = read.subarray(frame.size);
        if (frame.opcode === 1) events.onText(frame.text);
        if (frame.opcode === 8) stream.end();
      }
    });
    stream.on("error", () => {});
    stream.on("end", () => stream.end());
    stream.on("close", () => events.onClose());
  });
}

function textFrame(text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(10);
  head[0] = 0x81;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(body.length), 2);
  if (body.length > 0xffff) return Buffer.concat([head, body]);
  if (body.length < 126) return Buffer.concat([Buffer.of(0x81, body.length), body]);
  return Buffer.concat([Buffer.of(0x81, 126, body.length >> 8, body.length & 0xff), body]);
}

/** The first frame of a client, which masks what it sends. */
function takeFrame(bytes: Buffer): { opcode: number; text: string; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] as number) & 0x7f;
  const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
  const at = 2 + extra + 4;
  if (bytes.length < at) return undefined;
  const length = extra === 0 ? short : extra === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < at + length) return undefined;
  const mask = bytes.subarray(at - 4, at);
  const body = Buffer.from(bytes.subarray(at, at + length));
  for (let i = 0; i < body.length; i++) body[i] = (body[i] as number) ^ (mask[i % 4] as number);
  return { opcode: (bytes[0] as number) & 0x0f, text: body.toString(), size: at + length };
}
