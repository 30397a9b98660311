/**
 * A host that only counts: sends an agent messages, with credit without end, and counts the frames that come back by
 * their lengths. Nothing is decoded, so that it never is what the agent waits for.
 */
import { connect } from "node:net";
import { configDigest } from "../protocol/wire/digest.ts";
import { encodeFrame } from "../protocol/wire/frame.ts";
import { argument, serveControl } from "./control.ts";

/** The process's argument. */
export interface HostArgument {
  /** Port of 127.0.0.1 that the agent listens on. */
  readonly port: number;
  /** Messages that it sends: each becomes a stream. */
  readonly streams: number;
  /** Pushes a configuration, for which an agent connects to OpenClaw's gateway. */
  readonly configures?: boolean;
  /** After this time it cancels them, milliseconds; undefined: never. */
  readonly cancelMs?: number;
}

const { port, streams, configures, cancelMs } = argument() as HostArgument;
const socket = connect({ port, host: "127.0.0.1", noDelay: true });
let frames = 0;
/** Bytes of a frame that are still to come, and those of a length field that have come. */
let rest = 0;
let length: Buffer = Buffer.alloc(0);

socket.on("data", (bytes: Buffer) => {
  let at = 0;
  while (at < bytes.length) {
    if (rest === 0) {
      const taken = bytes.subarray(at, at + 4 - length.length);
      length = length.length === 0 ? taken : Buffer.concat([length, taken]);
      at += taken.length;
      if (length.length < 4) return;
      rest = length.readUInt32BE();
      length = Buffer.alloc(0);
    }
    const passed = Math.min(rest, bytes.length - at);
    rest -= passed;
    at += passed;
    if (rest === 0) frames++;
  }
});
socket.on("close", () => process.exit(1)); // an agent that has ended is no figure
socket.write(encodeFrame("hello", "", { token: "", protocol: 2 }));
if (configures === true) {
  const policy = { mode: "all", tools: [] } as const;
  const config = { config: {}, tool_allowlist: [], tool_policy: policy, revision: 1 };
  socket.write(encodeFrame("config_update", "config", { ...config, sha256: configDigest({}, policy) }));
}
for (let n = 0; n < streams; n++) {
  const id = `bench-${n}`;
  const message = { role: "user", content: "flood", request_id: id, conversation_id: "" };
  const reading = { credit: Number.MAX_SAFE_INTEGER, on_disconnect: "cancel" };
  socket.write(encodeFrame("message", id, { ...message, ...reading }));
}
if (cancelMs !== undefined) setTimeout(cancelAll, cancelMs);

function cancelAll(): void {
  for (let n = 0; n < streams; n++)
    socket.write(encodeFrame("cancel", `cancel-${n}`, { request_id: `bench-${n}`, reason: "" }));
}

serveControl([port], () => frames);
