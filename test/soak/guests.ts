/** A process with fake guests: one listener, a link for every agent, streams of numbered chunks for every message. */
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createFrameDecoder } from "../../protocol/wire/decoder.ts";
import { contextDigest } from "../../protocol/wire/digest.ts";
import { encodeFrame, type Frame } from "../../protocol/wire/frame.ts";
import { limits } from "../../protocol/wire/limits.ts";

/** Chunks of one answer, and the pause between two of them. */
export const CHUNKS = 200;
const PACE_MS = 50;

/** Text of a chunk: its number, and something to carry. */
export function chunkText(sequence: number): string {
  return `${sequence} ${"lorem ipsum ".repeat(4)}`;
}

interface Run {
  readonly socket: Socket;
  readonly id: string;
  sequence: number;
  sent: number;
  limit: number;
}

/** What the guests see of their links. */
export interface Links {
  readonly links: number;
  /** Links that ended since the start. */
  readonly lost: number;
}

let lost = 0;
const links = new Set<Socket>();
const runs = new Map<string, Run>();

/** The revision that each link's guest has, as its host pushed it. */
const applied = new WeakMap<Socket, { revision: unknown; sha256: unknown }>();
const noContext = contextDigest([]);

function heartbeat(socket: Socket): void {
  const { revision = 0, sha256 = "" } = applied.get(socket) ?? {};
  socket.write(
    encodeFrame("heartbeat", "", {
      status: "ready",
      uptime_secs: 1,
      protocol: 2,
      boot_id: "soak",
      agent_version: "soak",
      config_revision: revision,
      config_sha256: sha256,
      context_sha256: noContext,
      in_flight: 0,
      openclaw: "ready",
    }),
  );
}

function onFrame(socket: Socket, { type, id, payload }: Frame): void {
  const reply = (kind: Parameters<typeof encodeFrame>[0], body: object) =>
    socket.write(encodeFrame(kind, id, body));
  const run = runs.get(id);
  if (type === "hello") heartbeat(socket);
  else if (type === "ping") reply("pong", {});
  else if (type === "config_update") {
    const { revision, sha256 } = payload;
    applied.set(socket, { revision, sha256 });
    reply("config_ack", { applied: true, revision, sha256 });
  } else if (type === "context_update") reply("config_ack", { applied: true });
  else if (type === "credit" && run !== undefined) run.limit = Number(payload["limit"]);
  else if (type === "detach") runs.delete(id);
  else if (type === "message") {
    reply("opened", { boot_id: "soak", attached: false, next_sequence: 1 });
    runs.set(id, { socket, id, sequence: 0, sent: 0, limit: Number(payload["credit"]) });
  }
}

/** One more chunk of every run. */
function pace(): void {
  for (const run of runs.values()) {
    if (run.sent >= run.limit) continue;
    const sequence = ++run.sequence;
    const done = sequence > CHUNKS;
    const body = done
      ? { content: "", done, sequence, finish_reason: "stop" }
      : { content: chunkText(sequence), done, sequence };
    const frame = encodeFrame("chunk", run.id, body);
    run.sent += frame.length;
    run.socket.write(frame);
    if (done) runs.delete(run.id);
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  links.add(socket);
  const decoder = createFrameDecoder((frame) => onFrame(socket, frame));
  socket.on("data", (bytes: Buffer) => decoder.push(bytes));
  socket.on("error", () => {}); // its close is what counts
  socket.once("close", () => {
    links.delete(socket);
    lost++;
    for (const run of runs.values()) if (run.socket === socket) runs.delete(run.id);
  });
  socket.write(encodeFrame("heartbeat", "", { status: "ready", uptime_secs: 0, protocol: 2 }));
});

if (process.send !== undefined) {
  const { folder } = JSON.parse(process.argv[2] ?? "{}") as { folder: string };
  server.listen({ path: join(folder, "guests.sock"), backlog: 4_096 }, () => process.send?.("listening"));
  setInterval(pace, PACE_MS);
  // Heartbeats are spread over their period, as those of real guests are.
  let turn = 0;
  setInterval(() => {
    turn = (turn + 1) % 100;
    let at = 0;
    for (const socket of links) if (at++ % 100 === turn) heartbeat(socket);
  }, limits.heartbeatMs / 100);
  process.on("message", () => process.send?.({ links: links.size, lost } satisfies Links));
  process.on("disconnect", () => process.exit(0));
}
