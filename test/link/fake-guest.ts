import { type AddressInfo, createServer, type Socket } from "node:net";
import { createFrameDecoder } from "../../protocol/wire/decoder.ts";
import type { Frame, UnknownObject } from "../../protocol/wire/frame.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { frameBytes } from "../helpers/frame-bytes.ts";

/** Real timers: tests fake the global ones. */
const { setTimeout: later, clearTimeout: never } = globalThis;

/** What a guest does with a frame; frames without a handler wait for `next`. */
export type Handler = (session: Session, frame: Frame) => void;

/** How a guest behaves, until a test changes it: everything here may be set while it runs. */
export interface Behaviour {
  protocol: 1 | 2;
  bootId: string;
  /** Id that it claims; undefined: none. */
  agentId: string | undefined;
  revision: number;
  sha256: string;
  /** Called for a new connection in place of the first heartbeat. */
  onConnect: ((session: Session) => void) | undefined;
  /** By frame type. Without one, hello, ping, config_update and context_update are answered as they should be. */
  on: { [type: string]: Handler | "keep" };
}

/** One accepted connection. */
export interface Session {
  readonly guest: Guest;
  readonly socket: Socket;
  /** Every frame that came, in order. */
  readonly received: Frame[];
  /** Sends a frame of any type, however wrong; nothing is checked and nothing waits. */
  send(type: string, id: string, payload: unknown): void;
  /** Sends bytes as they are. */
  raw(bytes: Buffer | string): void;
  heartbeat(extra?: UnknownObject): void;
  /** `opened`, in answer to a message. */
  opened(id: string, next?: number): void;
  /** A numbered text chunk. */
  text(id: string, sequence: number, content: string): void;
  /** The numbered last chunk. */
  done(id: string, sequence: number): void;
  readonly closed: Promise<void>;
}

/** A guest that listens on 127.0.0.1. */
export interface Guest extends Behaviour {
  readonly port: number;
  readonly address: string;
  readonly sessions: Session[];
  /** The next frame of a type that no handler took; fails after 5 s. */
  next(type: string): Promise<{ session: Session; frame: Frame }>;
  /** The connection with this number, from 1, once it is there; fails after 5 s. */
  session(number: number): Promise<Session>;
  /** Breaks every connection, and takes no new one until `listen`. */
  down(): Promise<void>;
  /** Listens again, on the same port. */
  up(): Promise<void>;
}

/** Rejects if a promise takes more than 15 s of real time. */
export async function soon<T>(what: string, promise: Promise<T>, ms = 15_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = later(() => reject(new Error(`waited ${ms} ms in vain for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    never(timer);
  }
}

/** Resolves once a condition holds; looks at every turn of the loop, for things that nothing tells of. */
export async function until(what: string, condition: () => boolean, ms = 15_000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await new Promise((resolve) => {
      later(resolve, 1);
    });
  }
}

/** Lets everything that is on its way over loopback arrive, for assertions that something does not happen. */
export async function settle(rounds = 10): Promise<void> {
  for (let i = 0; i < rounds; i++)
    await new Promise((resolve) => {
      later(resolve, 3);
    });
}

/** Answers messages with their own content, in one chunk. */
export const echo: Handler = (session, frame) => {
  const content = String(frame.payload["content"]);
  if (session.guest.protocol === 1) {
    session.send("chunk", frame.id, { content, done: false });
    session.send("chunk", frame.id, { content: "", done: true });
    return;
  }
  session.opened(frame.id);
  session.text(frame.id, 1, content);
  session.done(frame.id, 2);
};

const defaults: { [type: string]: Handler } = {
  hello: (session) => session.heartbeat(),
  ping: (session, frame) => session.send("pong", frame.id, {}),
  config_update(session, { id, payload }) {
    const { guest } = session;
    if (guest.protocol === 1) return session.send("config_ack", id, { applied: true });
    guest.revision = Number(payload["revision"]);
    guest.sha256 = String(payload["sha256"]);
    session.send("config_ack", id, { applied: true, revision: guest.revision, sha256: guest.sha256 });
  },
  context_update: (session, frame) => session.send("config_ack", frame.id, { applied: true }),
};

/** Starts a guest that behaves, but for what `behaviour` says. It ends after the last test of the file. */
export async function startGuest(behaviour: Partial<Behaviour> = {}): Promise<Guest> {
  const inbox: { session: Session; frame: Frame }[] = [];
  const wanted: { type: string; take: (item: { session: Session; frame: Frame }) => void }[] = [];
  const watchers = new Set<() => void>();
  const sockets = new Set<Socket>();

  function deliver(session: Session, frame: Frame): void {
    session.received.push(frame);
    const handler = guest.on[frame.type] ?? defaults[frame.type];
    if (handler !== undefined && handler !== "keep") return handler(session, frame);
    const at = wanted.findIndex(({ type }) => type === frame.type);
    const [waiter] = at < 0 ? [] : wanted.splice(at, 1);
    if (waiter === undefined) inbox.push({ session, frame });
    else waiter.take({ session, frame });
  }

  const server = createServer({ noDelay: true }, (socket) => {
    const session = makeSession(guest, socket, deliver);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    guest.sessions.push(session);
    for (const watch of watchers) watch();
    if (guest.onConnect !== undefined) guest.onConnect(session);
    else session.send("heartbeat", "", firstHeartbeat(guest));
  });

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;

  const guest: Guest = {
    protocol: 2,
    bootId: "boot-1",
    agentId: undefined,
    revision: 0,
    sha256: "",
    onConnect: undefined,
    on: {},
    ...behaviour,
    port,
    address: `tcp://127.0.0.1:${port}`,
    sessions: [],
    async next(type) {
      const at = inbox.findIndex(({ frame }) => frame.type === type);
      const [kept] = at < 0 ? [] : inbox.splice(at, 1);
      if (kept !== undefined) return kept;
      const { promise, resolve } = Promise.withResolvers<{ session: Session; frame: Frame }>();
      wanted.push({ type, take: resolve });
      return soon(`a ${type} frame`, promise);
    },
    async session(number) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const watch = () => guest.sessions.length >= number && resolve();
      watchers.add(watch);
      watch();
      await soon(`connection ${number}`, promise);
      watchers.delete(watch);
      return guest.sessions[number - 1] as Session;
    },
    async down() {
      const ended = new Promise((resolve) => {
        server.close(resolve);
      });
      for (const socket of sockets) socket.destroy();
      await ended;
    },
    up: () => listen(port),
  };
  afterFile(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return guest;
}

function firstHeartbeat(guest: Guest): object {
  const { protocol } = guest;
  return { status: "ready", uptime_secs: 0, ...(protocol === 2 && { protocol }) };
}

function makeSession(
  guest: Guest,
  socket: Socket,
  deliver: (session: Session, frame: Frame) => void,
): Session {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const write = (bytes: Buffer | string) => {
    if (!socket.destroyed) socket.write(bytes);
  };
  const session: Session = {
    guest,
    socket,
    received: [],
    closed,
    send: (type, id, payload) => write(frameBytes(type, id, payload)),
    raw: write,
    heartbeat(extra) {
      const { protocol, bootId, agentId, revision, sha256 } = guest;
      const mine = { protocol, boot_id: bootId, config_revision: revision, config_sha256: sha256 };
      session.send("heartbeat", "", {
        status: "running",
        uptime_secs: 1,
        ...(protocol === 2 && mine),
        ...(agentId !== undefined && { agent_id: agentId }),
        ...extra,
      });
    },
    opened: (id, next = 1) =>
      session.send("opened", id, { boot_id: guest.bootId, attached: false, next_sequence: next }),
    text: (id, sequence, content) => session.send("chunk", id, { content, done: false, sequence }),
    done: (id, sequence) =>
      session.send("chunk", id, { content: "", done: true, sequence, finish_reason: "stop" }),
  };
  const decoder = createFrameDecoder((frame) => deliver(session, frame));
  socket.on("data", (bytes: Buffer) => decoder.push(bytes));
  socket.on("error", () => {});
  socket.once("close", () => resolve());
  return session;
}
