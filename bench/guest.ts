/**
 * A fake guest: speaks protocol 2 over TCP and answers by script, with no model behind it. The content of a message names
 * the answer: `each`, `batch` and `paced` are endless streams of 60-byte chunks, `idle` is a stream of one chunk that never ends, `unary`
 * is one chunk and the end. A number after it, as in `each:60000`, is the bytes of a chunk.
 */
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { createFrameDecoder } from "../protocol/wire/decoder.ts";
import { encodeFrame, encodeFrameJson, type Frame } from "../protocol/wire/frame.ts";
import { limits } from "../protocol/wire/limits.ts";
import { argument, serveControl, setNice } from "./control.ts";
import { CHUNK_BYTES, chunkText } from "./text.ts";

/** The process's argument. */
export interface GuestArgument {
  /** How many guests to be; each listens on a port of its own. */
  readonly guests: number;
  /** Priority of the process, as os.setPriority takes it (0); what may not be set is left. */
  readonly nice?: number;
}

/** Frames in one write of `batch`. */
const BATCH = 200;
/** Pause between the chunks of a `paced` stream. */
const PACE_MS = 5;
/** Rounds over all streams in one turn of the event loop. */
const ROUNDS = 8;

/** A stream that is being sent. */
interface Run {
  readonly id: string;
  /** Of each of its chunks. */
  readonly text: string;
  sequence: number;
  sent: number;
  limit: number;
}

let sentChunks = 0;
const texts = new Map<number, string>();

/** Text of this length, made once. */
function textOf(bytes: number): string {
  const text = texts.get(bytes) ?? chunkText(bytes);
  texts.set(bytes, text);
  return text;
}

/** As long as the marks of a real guest, and no function of the texts, which are all the same. */
function markOf(sequence: number): number {
  return Math.imul(sequence, 0x9e3779b1) & 0x1fffffff;
}

/** Serves one link. */
function serveLink(socket: Socket): void {
  const flatOut = new Map<string, Run>(); // streams of `each` and `batch`
  const paced = new Map<string, { run: Run; timer: NodeJS.Timeout }>();
  let batch = 1;
  let scheduled = false;

  const reply = (type: Parameters<typeof encodeFrame>[0], id: string, payload: object) =>
    socket.write(encodeFrame(type, id, payload));

  /** The run's next chunk; undefined if its credit is used up. */
  function nextChunk(run: Run): Buffer | undefined {
    if (run.sent >= run.limit) return undefined;
    const sequence = ++run.sequence;
    const json = `{"content":"${run.text}","done":false,"sequence":${sequence},"mark":${markOf(sequence)}}`;
    const frame = encodeFrameJson("chunk", run.id, json);
    run.sent += frame.length;
    sentChunks++;
    return frame;
  }

  /** One write of a run: a frame, or 200. */
  function sendSome(run: Run): boolean {
    const frames: Buffer[] = [];
    while (frames.length < batch) {
      const frame = nextChunk(run);
      if (frame === undefined) break;
      frames.push(frame);
    }
    if (frames.length === 0) return false;
    socket.write(frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames));
    return true;
  }

  /** Sends for every run in turn until the socket is full or no run has credit. */
  function pump(): void {
    scheduled = false;
    let sent = true;
    for (let round = 0; round < ROUNDS && sent; round++) {
      sent = false;
      for (const run of flatOut.values()) {
        if (socket.destroyed || socket.writableNeedDrain) return;
        sent = sendSome(run) || sent;
      }
    }
    if (sent) schedule();
  }

  function schedule(): void {
    if (scheduled || socket.destroyed || socket.writableNeedDrain) return;
    scheduled = true;
    setImmediate(pump);
  }

  function pace(run: Run): void {
    const timer = setInterval(() => {
      const frame = nextChunk(run);
      if (frame !== undefined) socket.write(frame);
    }, PACE_MS);
    paced.set(run.id, { run, timer });
  }

  function forget(id: string): void {
    flatOut.delete(id);
    clearInterval(paced.get(id)?.timer);
    paced.delete(id);
  }

  function begin(frame: Frame): void {
    const { content, credit } = frame.payload;
    const opened = encodeFrame("opened", frame.id, {
      boot_id: "bench",
      attached: false,
      next_sequence: 1,
      life: frame.id,
    });
    socket.write(opened);
    const limit = typeof credit === "number" ? credit : limits.uncreditedBuffer;
    const [how, bytes = CHUNK_BYTES] = String(content).split(":");
    const text = textOf(Number(bytes));
    const run: Run = { id: frame.id, text, sequence: 0, sent: opened.length, limit };
    if (how === "unary") return void setImmediate(answer, run);
    if (how === "paced") return pace(run);
    if (how === "idle") return void socket.write(nextChunk(run) ?? "");
    batch = how === "batch" ? BATCH : 1;
    flatOut.set(run.id, run);
    schedule();
  }

  /** The whole answer of a unary call; `opened` has left before, as it does if a model is asked. */
  function answer(run: Run): void {
    const chunk = nextChunk(run);
    const sequence = ++run.sequence;
    const done = { content: "", done: true, sequence, finish_reason: "stop", mark: markOf(sequence) };
    if (chunk !== undefined) socket.write(Buffer.concat([chunk, encodeFrame("chunk", run.id, done)]));
  }

  function onCredit(frame: Frame): void {
    const run = flatOut.get(frame.id) ?? paced.get(frame.id)?.run;
    if (run === undefined) return;
    run.limit = Math.max(run.limit, Number(frame.payload["limit"]));
    schedule();
  }

  const decoder = createFrameDecoder((frame) => {
    switch (frame.type) {
      case "hello":
        return reply("heartbeat", "", fullHeartbeat());
      case "config_update": {
        const { revision, sha256 } = frame.payload;
        return reply("config_ack", frame.id, { applied: true, revision, sha256 });
      }
      case "context_update":
        return reply("config_ack", frame.id, { applied: true });
      case "ping":
        return reply("pong", frame.id, {});
      case "cancel":
        return reply("cancel_ack", frame.id, { found: false });
      case "message":
        return begin(frame);
      case "credit":
        return onCredit(frame);
      case "detach":
        // A fake keeps no journal: whatever on_disconnect says, a run ends with its only reader.
        return forget(frame.id);
      default:
        return undefined;
    }
  });

  const heartbeats = setInterval(() => reply("heartbeat", "", fullHeartbeat()), limits.heartbeatMs);
  socket.on("data", (bytes: Buffer) => decoder.push(bytes));
  socket.on("drain", schedule);
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    clearInterval(heartbeats);
    for (const id of paced.keys()) forget(id);
  });
  reply("heartbeat", "", { status: "ready", uptime_secs: process.uptime(), protocol: 2 });
}

function fullHeartbeat(): object {
  return {
    status: "ready",
    uptime_secs: process.uptime(),
    protocol: 2,
    boot_id: "bench",
    agent_version: "bench",
    config_revision: 0,
    config_sha256: "",
    in_flight: 0,
    openclaw: "ready",
    lives: true,
    remembers: "memory",
  };
}

async function listen(): Promise<number> {
  const server = createServer({ noDelay: true }, serveLink);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const { guests, nice = 0 } = argument() as GuestArgument;
setNice(nice);
const ports: number[] = [];
while (ports.length < guests) ports.push(await listen());
serveControl(ports, () => sentChunks);
