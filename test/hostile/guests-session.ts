import type { Socket } from "node:net";
import { createFrameDecoder } from "../../protocol/wire/decoder.ts";
import type { Frame } from "../../protocol/wire/frame.ts";
import { lengthAndBytes } from "../helpers/frame-bytes.ts";

/** Encodes a frame without any check; `payload` is JSON text. */
export function frameOfText(type: string, id: string, payload: string): Buffer {
  const body = Buffer.from(`{"type":"${type}","id":"${id}","payload":${payload}}`);
  return lengthAndBytes(body);
}

/** What a guest does beside what every guest does. */
export interface Conduct {
  /** True: messages are sent to it all the time, by a client of its own tenant. */
  readonly asked?: boolean;
  /** A host connected: true if nothing more is to be done with it. */
  accepted?(session: GuestSession): boolean;
  /** The link is up: at the beginning, or again after it was closed. */
  up?(session: GuestSession): void;
  /** A message came. Default: it is answered with one chunk. */
  message?(session: GuestSession, id: string): void;
  /** More may be sent for a message. */
  credit?(session: GuestSession, id: string, limit: number): void;
}

const HEARTBEAT_MS = 10_000;

/** One link of a guest that keeps the rules, but for its conduct. */
export class GuestSession {
  readonly #socket: Socket;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ids: Set<string>;
  #conduct: Conduct;
  isUp = false;

  /** `ids` takes the ids of all messages, for those who answer in another's name. */
  constructor(socket: Socket, conduct: Conduct, ids: Set<string>) {
    this.#socket = socket;
    this.#conduct = conduct;
    this.#ids = ids;
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#rest());
    const decoder = createFrameDecoder((frame) => this.#onFrame(frame));
    socket.on("data", (bytes: Buffer) => decoder.push(bytes));
    if (conduct.accepted?.(this) === true) return;
    this.send("heartbeat", "", `{"status":"ready","uptime_secs":0,"protocol":2}`);
    setInterval(() => this.isUp && this.heartbeat(), HEARTBEAT_MS).unref();
  }

  /** Ids of messages that were sent to any guest. */
  get allIds(): ReadonlySet<string> {
    return this.#ids;
  }

  /** From now on it behaves so. */
  become(conduct: Conduct): void {
    this.#rest();
    this.#conduct = conduct;
    if (this.isUp) conduct.up?.(this);
  }

  send(type: string, id: string, payload: string): void {
    this.raw(frameOfText(type, id, payload));
  }

  /** Sends bytes, unless 1 MiB waits already: the guest's memory is not what is attacked. */
  raw(bytes: Buffer): boolean {
    if (this.#socket.destroyed || this.#socket.writableLength > 1024 * 1024) return false;
    this.#socket.write(bytes);
    return true;
  }

  heartbeat(padding = 0): void {
    const padded = padding === 0 ? "" : `,"padding":"${"x".repeat(padding)}"`;
    const fields = `"boot_id":"b","agent_version":"1","config_revision":0,"config_sha256":"","in_flight":0`;
    this.send("heartbeat", "", `{"status":"ready","uptime_secs":1,"protocol":2,${fields}${padded}}`);
  }

  opened(id: string): void {
    this.send("opened", id, `{"boot_id":"b","attached":false,"next_sequence":1}`);
  }

  chunk(id: string, sequence: number, content: string): void {
    this.send("chunk", id, `{"content":"${content}","done":false,"sequence":${sequence}}`);
  }

  /** Does something again and again, until the link ends or the guest changes its ways. */
  every(ms: number, what: () => void): void {
    this.#timers.add(setInterval(what, ms));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #rest(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
  }

  #onFrame({ type, id, payload }: Frame): void {
    switch (type) {
      case "hello":
        this.heartbeat();
        this.isUp = true;
        this.#conduct.up?.(this);
        return;
      case "ping":
        return this.send("pong", id, "{}");
      case "config_update": {
        const { revision, sha256 } = payload;
        return this.send("config_ack", id, JSON.stringify({ applied: true, revision, sha256 }));
      }
      case "context_update":
        return this.send("config_ack", id, `{"applied":true}`);
      case "message":
        this.#ids.add(id);
        if (this.#conduct.message !== undefined) return this.#conduct.message(this, id);
        this.opened(id);
        this.chunk(id, 1, "good");
        return this.send("chunk", id, `{"content":"","done":true,"sequence":2,"finish_reason":"stop"}`);
      case "credit":
        return this.#conduct.credit?.(this, id, Number(payload["limit"]));
      default:
        return undefined;
    }
  }
}
