import { connect, type Socket } from "node:net";
import { once } from "node:events";

/** What every HTTP/2 connection begins with. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Types of frames (RFC 9113 section 6). */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of frames. */
export const flags = { endStream: 1, ack: 1, endHeaders: 4 } as const;

/** A frame as bytes. */
export function frame(
  type: keyof typeof frameTypes,
  {
    stream = 0,
    flag = 0,
    payload = Buffer.alloc(0),
  }: { stream?: number; flag?: number; payload?: Buffer } = {},
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(frameTypes[type], 3);
  head.writeUInt8(flag, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block without indexing and Huffman codes, as HPACK has it. */
export function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 127), Buffer.from(value)]);
}

function integer(value: number, most: number): Buffer {
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** The headers of a request. */
export function requestHeaders(path: string, more: readonly (readonly [string, string])[] = []): Buffer {
  const method = more.some(([name]) => name === "content-type") ? "POST" : "GET";
  return headerBlock([
    [":method", method],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ...more,
  ]);
}

/** A SETTINGS frame with one setting. */
export function settingsFrame(id: number, value: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(id, 0);
  payload.writeUInt32BE(value, 2);
  return frame("settings", { payload });
}

/** A payload of one 32-bit number. */
export function number32(value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value);
  return payload;
}

/** Opens a connection and says HTTP/2's preface with settings; what the server sends is read and forgotten. */
export async function openHttp2(port: number, settings: Buffer = frame("settings")): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  await once(socket, "connect");
  socket.write(Buffer.concat([PREFACE, settings, frame("settings", { flag: flags.ack })]));
  return socket;
}
