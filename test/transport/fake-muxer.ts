import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a muxer does with a CONNECT: ends the connection, says nothing, or writes these pieces one after the other. */
export type MuxerAnswer = "eof" | "silence" | readonly Buffer[];

/** How a fake muxer behaves. */
export interface MuxerOptions {
  /** Its answer to CONNECT; without it `OK 1073741824\n` in one piece. */
  readonly answer?: (port: number) => MuxerAnswer;
  /** Plays the guest once the answer is written. The muxer destroys the socket when it closes. */
  readonly guest?: (socket: Socket, port: number) => void;
}

/** The host's side of a VMM's vsock, without the VM: docs/wire-protocol.md section 12. */
export interface FakeMuxer {
  /** Its Unix socket. */
  readonly path: string;
  /** The first read of each connection, in order: CONNECT is one write, so it is one read. */
  readonly requests: readonly Buffer[];
  /** Connections that are open now. */
  readonly open: number;
  /** Resolves when no connection is open. */
  allClosed(): Promise<void>;
  /** Ends everything and removes its files. */
  close(): Promise<void>;
}

/** Starts a muxer on a Unix socket in a directory of its own. */
export async function startFakeMuxer(options: MuxerOptions = {}): Promise<FakeMuxer> {
  const directory = mkdtempSync(join(tmpdir(), "muxer-"));
  const path = join(directory, "v.sock");
  const requests: Buffer[] = [];
  const sockets = new Set<Socket>();
  let wake = Promise.withResolvers<void>();

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      sockets.delete(socket);
      wake.resolve();
      wake = Promise.withResolvers();
    });
    socket.once("data", (request: Buffer) => {
      requests.push(request);
      void serve(socket, request, options);
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

/** Answers one CONNECT, as Firecracker does: a line that came in parts, or is another, gets no answer. */
async function serve(socket: Socket, request: Buffer, options: MuxerOptions): Promise<void> {
  const [, digits] = /^CONNECT ([1-9]\d{0,9})\n$/.exec(request.toString("latin1")) ?? [];
  if (digits === undefined) return void socket.destroy();
  const port = Number(digits);
  const answer = options.answer?.(port) ?? [Buffer.from("OK 1073741824\n")];
  if (answer === "silence") return;
  if (answer === "eof") return void socket.end();
  for (const piece of answer) {
    if (socket.destroyed) return;
    // Each piece is a read of its own for the host: it runs before the next is written.
    await new Promise((resolve) => socket.write(piece, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  options.guest?.(socket, port);
}
