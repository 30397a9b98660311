/**
 * The least that a host of protocol 2 can do, for the floors: decodes frames and hands them to the exchange they name. No
 * timeouts, no bounds, no reconnecting, no checks of payloads.
 */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { createFrameDecoder } from "../protocol/wire/decoder.ts";
import { encodeFrame, type Frame, type UnknownObject } from "../protocol/wire/frame.ts";
import { limits } from "../protocol/wire/limits.ts";

/** Reads one exchange. */
export interface FloorReader {
  /** A chunk came. */
  chunk(payload: UnknownObject): void;
  /** All chunks of one read of the socket have come. */
  flush(): void;
}

/** An exchange that was opened. */
export interface FloorExchange {
  /** What came so far was delivered: lets the guest send more. */
  release(): void;
  detach(): void;
}

/** A link to one guest. */
export interface FloorLink {
  open(content: string, reader: FloorReader): FloorExchange;
}

interface Entry {
  readonly reader: FloorReader;
  received: number;
  granted: number;
  touched: boolean;
}

/** Connects to a guest of this machine; resolves once it has greeted. */
export function openFloorLink(port: number): Promise<FloorLink> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const exchanges = new Map<string, Entry>();
  const up = Promise.withResolvers<FloorLink>();
  let touched: Entry[] = [];
  let greeted = false;

  function onFrame(frame: Frame): void {
    if (frame.type === "heartbeat") {
      if (greeted) return up.resolve(link);
      greeted = true;
      return void socket.write(encodeFrame("hello", "", { token: "", protocol: 2 }));
    }
    const entry = exchanges.get(frame.id);
    if (entry === undefined) return;
    entry.received += frame.size;
    if (frame.type !== "chunk") return;
    entry.reader.chunk(frame.payload);
    if (frame.payload["done"] === true) exchanges.delete(frame.id);
    if (entry.touched) return;
    entry.touched = true;
    touched.push(entry);
  }

  const decoder = createFrameDecoder(onFrame);
  socket.on("error", up.reject);
  socket.on("data", (bytes: Buffer) => {
    decoder.push(bytes);
    const woken = touched;
    touched = [];
    for (const entry of woken) {
      entry.touched = false;
      entry.reader.flush();
    }
  });

  const link: FloorLink = {
    open(content, reader) {
      const id = randomBytes(16).toString("hex");
      const entry: Entry = { reader, received: 0, granted: limits.creditWindow, touched: false };
      exchanges.set(id, entry);
      const payload = { role: "user", content, request_id: id, credit: limits.creditWindow };
      socket.write(encodeFrame("message", id, payload));
      return {
        release() {
          if (entry.granted - entry.received > limits.creditWindow / 2) return;
          entry.granted = entry.received + limits.creditWindow;
          socket.write(encodeFrame("credit", id, { limit: entry.granted }));
        },
        detach() {
          if (exchanges.delete(id)) socket.write(encodeFrame("detach", id, {}));
        },
      };
    },
  };
  return up.promise;
}

/** Links to several guests; the agent `benchN` is the guest of the Nth port. */
export async function openFloorLinks(ports: readonly number[]): Promise<(agentId: string) => FloorLink> {
  const links = await Promise.all(ports.map(openFloorLink));
  return (agentId) => {
    const link = links[Number(agentId.replace("bench", ""))];
    if (link === undefined) throw new Error(`there is no agent ${agentId}`);
    return link;
  };
}
