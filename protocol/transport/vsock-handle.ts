import type { Socket } from "node:net";
import { LendingSocket } from "./lending-socket.ts";

/**
 * The part of Node's internal Pipe handle that is used here: libuv's `uv_pipe_t`. Its reads, writes, listen and accept
 * are those of any stream socket, whatever its family; `node:net` itself takes no file descriptor of AF_VSOCK.
 */
export interface StreamHandle {
  /** The file descriptor; -1 once closed. */
  readonly fd: number;
  /** Adopts a file descriptor: 0, or a negative errno, and then the descriptor stays the caller's. */
  open(fd: number): number;
  /** Listens: 0, or a negative errno. */
  listen(backlog: number): number;
  /** Closes the descriptor too. */
  close(): void;
  /** Takes accepted connections; `status` is a negative errno if accepting one has failed. */
  onconnection: ((status: number, client: StreamHandle | undefined) => void) | null;
}

interface PipeWrap {
  readonly Pipe: new (type: number) => StreamHandle;
  readonly constants: { readonly SOCKET: number; readonly SERVER: number };
}

/**
 * Hands a file descriptor of a stream socket to libuv, which from then on drives and closes it. Throws Error, and the
 * descriptor stays the caller's if it can't.
 */
export function adopt(fd: number, role: "SOCKET" | "SERVER"): StreamHandle {
  const { Pipe, constants } = (process as unknown as { binding(name: string): unknown }).binding(
    "pipe_wrap",
  ) as PipeWrap;
  const handle = new Pipe(constants[role]);
  const status = handle.open(fd);
  if (status === 0) return handle;
  handle.close();
  throw new Error(`libuv does not take file descriptor ${fd}: errno ${-status}`);
}

/** An ordinary socket, with backpressure, on a handle that is connected. */
export function socketOn(handle: StreamHandle): Socket {
  const socket = new LendingSocket({ handle });
  // Between here and its owner's listener nobody else takes an error.
  socket.on("error", () => {});
  return socket;
}
