/** A process of guests, told by its parent how they are to behave. */
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { setPriority } from "node:os";
import { conducts } from "./guests-conducts.ts";
import { type Conduct, GuestSession } from "./guests-session.ts";

/** What the process is told. */
export type GuestsOrder =
  /** So many guests listen from now on, on 127.0.0.1. */
  | { readonly kind: "listen"; readonly count: number; readonly nice: number }
  /** Behave so from now on; guests that are asked get messages from a client with this key. */
  | { readonly kind: "become"; readonly conduct: string; readonly port: number; readonly key: string }
  | { readonly kind: "report" };

/** What it answers to each order. */
export interface GuestsReport {
  readonly ports: readonly number[];
  /** Links that are up. */
  readonly up: number;
  /** Links that the host closed since the conduct began, and milliseconds after which it closed the first of each guest. */
  readonly closed: number;
  readonly firstClosedMs: readonly number[];
}

const sessions = new Map<number, GuestSession>();
const ids = new Set<string>();
let ports: readonly number[] = [];
let conduct: Conduct = {};
let since = performance.now();
let closed = 0;
let firstClosed = new Map<number, number>();
let stopAsking = new AbortController();

function listen(index: number): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    const session = new GuestSession(socket, conduct, ids);
    sessions.set(index, session);
    socket.on("close", () => {
      closed++;
      if (!firstClosed.has(index)) firstClosed.set(index, performance.now() - since);
      if (sessions.get(index) === session) sessions.delete(index);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

/** Asks a guest for a stream, again when it has ended, and reads all of it. */
function ask(index: number, port: number, key: string, signal: AbortSignal): void {
  const again = () => setTimeout(() => !signal.aborted && ask(index, port, key, signal), 100).unref();
  const headers = { authorization: `Bearer ${key}`, accept: "text/event-stream" };
  const path = `/agents/h${index}/stream?message=${encodeURIComponent('{"content":"x"}')}`;
  const req = request({ port, path, headers, signal });
  req.on("response", (res) =>
    res
      .on("error", () => {})
      .on("close", again)
      .resume(),
  );
  req.on("error", again);
  req.end();
}

function become(name: string, port: number, key: string): void {
  stopAsking.abort();
  stopAsking = new AbortController();
  const next = conducts[name];
  if (next === undefined) throw new Error(`there is no conduct ${name}`);
  conduct = next;
  since = performance.now();
  closed = 0;
  firstClosed = new Map();
  ids.clear();
  for (const session of sessions.values()) session.become(next);
  if (next.asked === true) for (const index of sessions.keys()) ask(index, port, key, stopAsking.signal);
}

async function obey(order: GuestsOrder): Promise<void> {
  if (order.kind === "listen") {
    setPriority(order.nice);
    ports = await Promise.all(Array.from({ length: order.count }, (_, index) => listen(index)));
  }
  if (order.kind === "become") become(order.conduct, order.port, order.key);
  const up = [...sessions.values()].filter(({ isUp }) => isUp).length;
  process.send?.({ ports, up, closed, firstClosedMs: [...firstClosed.values()] } satisfies GuestsReport);
}

process.on("message", (order: GuestsOrder) => void obey(order));
process.once("disconnect", () => process.exit(0));
