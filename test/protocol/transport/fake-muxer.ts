import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";

/** What a muxer does with a CONNECT: ends the connection, says nothing, or writes these pieces one after the other. */
export type MuxerAnswer = "eof" | "silence" | readonly Buffer[];

/** How a fake muxer behaves. */
export interface MuxerOptions {
  /** Its answer to CONNECT; without it `OK <host port>\n` in one piece. */
  readonly answer?: (port: number) => MuxerAnswer;
  /** Plays the guest once the answer is written. */
  readonly guest?: (socket: Duplex, port: number) => void;
  /**
   * Host ports that it can hand out, each to one connection to a guest port at a time; default 1,023, as Firecracker. If
   * the next one is in use, as if all are, the two connections would be one to the guest: CONNECT is answered by EOF.
   */
  readonly hostPorts?: number;
}

/** The host's side of a VMM's vsock, without the VM: docs/wire-protocol.md section 12. */
export interface FakeMuxer {
  /** Its Unix socket. */
  readonly path: string;
  /** The first read of each connection, in order: CONNECT is one write, so it is one read. */
  readonly requests: readonly Buffer[];
  /** Connections that are open now. */
  readonly open: number;
  /** Host ports in use. */
  readonly hostPorts: readonly number[];
  /** Resolves when no connection is open. */
  allClosed(): Promise<void>;
  /**
   * Does as if the VM had been restored from a snapshot: its guest sees its connections close, the host's stay open and
   * say nothing more, and the next CONNECT goes unanswered.
   */
  restore(): void;
  /** Ends everything and removes its files. */
  close(): Promise<void>;
}

/** Where Firecracker's host ports begin. */
const FIRST_HOST_PORT = 1 << 30;

/** Starts a muxer on a Unix socket in a directory of its own. */
export async function startFakeMuxer(options: MuxerOptions = {}): Promise<FakeMuxer> {
  const directory = mkdtempSync(join(tmpdir(), "muxer-"));
  const path = join(directory, "v.sock");
  const requests: Buffer[] = [];
  const sockets = new Set<Socket>();
  const guests = new Map<Socket, Duplex>();
  const hostPorts = new Map<Socket, number>();
  let handedOut = 0;
  let deaf = 0;
  let wake = Promise.withResolvers<void>();

  /** The next host port, or undefined if another connection has it. */
  function assign(socket: Socket): number | undefined {
    const port = FIRST_HOST_PORT + (handedOut++ % (options.hostPorts ?? 1_023));
    if ([...hostPorts.values()].includes(port)) return undefined;
    hostPorts.set(socket, port);
    return port;
  }

  /** Answers one CONNECT, as Firecracker does: a line that came in parts, or is another, gets no answer. */
  async function serve(socket: Socket, request: Buffer): Promise<void> {
    const [, digits] = /^CONNECT ([1-9]\d{0,9})\n$/.exec(request.toString("latin1")) ?? [];
    if (digits === undefined) return void socket.destroy();
    if (deaf > 0) return void deaf--;
    const port = Number(digits);
    const hostPort = assign(socket);
    if (hostPort === undefined) return void socket.end();
    const answer = options.answer?.(port) ?? [Buffer.from(`OK ${hostPort}\n`)];
    if (answer === "silence") return;
    if (answer === "eof") return void socket.end();
    for (const piece of answer) {
      if (socket.destroyed) return;
      // Each piece is a read of its own for the host: it runs before the next is written.
      await new Promise((resolve) => socket.write(piece, resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (options.guest === undefined) return;
    const [inner, outer] = duplexPair();
    guests.set(socket, inner);
    socket.pipe(inner).pipe(socket);
    outer.on("error", () => {});
    options.guest(outer, port);
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      sockets.delete(socket);
      hostPorts.delete(socket);
      guests.get(socket)?.destroy();
      guests.delete(socket);
      wake.resolve();
      wake = Promise.withResolvers();
    });
    socket.once("data", (request: Buffer) => {
      requests.push(request);
      void serve(socket, request);
    });
  });
  server.listen(path);
  await once(server, "listening");

  return {
    path,
    requests,
    get open() {
      return sockets.size;
    },
    get hostPorts() {
      return [...hostPorts.values()];
    },
    restore() {
      for (const [socket, inner] of guests) {
        inner.unpipe(socket);
        socket.unpipe(inner);
        // Whatever the host still says is lost.
        socket.resume();
        inner.end();
      }
      guests.clear();
      deaf++;
    },
    async allClosed() {
      while (sockets.size > 0) await wake.promise;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
