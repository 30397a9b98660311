import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { createServer, connect, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { type Address, formatAddress } from "./address.ts";
import { listenVsock, VSOCK_HOST } from "./vsock.ts";
import { errorText } from "../rules/error-text.ts";

/** A guest's listener. */
export interface Listener {
  /** Where it listens; the port is the real one if 0 was asked for. */
  readonly address: Address;
  /** Stops to listen and removes a Unix socket's file. Connections that were accepted stay. */
  close(): Promise<void>;
}

/** Most connections that are open at once; a host needs one or two. */
const MAX_CONNECTIONS = 64;

/** How a listener differs from the usual. */
export interface ListenOptions {
  /** CIDs that a vsock listener lets in; without it the host's alone, so that no program of the guest passes for it. */
  readonly vsockPeers?: readonly number[];
}

/**
 * Listens for hosts. A Unix socket is made with mode 0600; a file of a listener that is gone is replaced, one that still
 * answers is an error. On vsock only the host is let in. Rejects with Error that names the address and the cause.
 */
export async function listen(
  address: Address | { kind: "tcp"; host: string; port: 0 },
  accept: (socket: Duplex) => void,
  options: ListenOptions = {},
): Promise<Listener> {
  if (address.kind === "vsock") return listenOnVsock(address, accept, options.vsockPeers ?? [VSOCK_HOST]);
  if (address.kind === "hybrid")
    throw new Error("hybrid is the host's side of vsock: a guest listens on vsock, tcp or unix");
  const server = createServer({ noDelay: true }, (socket) => {
    // A connection that breaks is told by its close too; without a listener the error would end the process.
    socket.on("error", () => {});
    accept(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  if (address.kind === "unix") await removeStaleSocket(address.path);
  await listening(
    server,
    address.kind === "tcp" ? { host: address.host, port: address.port } : { path: address.path },
    formatAddress(address),
  );
  if (address.kind === "unix") chmodSync(address.path, 0o600);
  const bound = server.address();
  const real: Address =
    address.kind === "tcp" && bound !== null && typeof bound === "object"
      ? { ...address, port: bound.port }
      : address;
  return {
    address: real,
    close: () =>
      new Promise((resolve) => {
        server.close();
        // close() calls back only when the last connection has ended; the listening socket is gone at once.
        resolve();
      }),
  };
}

function listenOnVsock(
  address: Address & { kind: "vsock" },
  accept: (socket: Duplex) => void,
  peers: readonly number[],
): Listener {
  try {
    const listener = listenVsock(address, accept, { peers, maxConnections: MAX_CONNECTIONS });
    return { address: { kind: "vsock", ...listener.address }, close: async () => listener.close() };
  } catch (error) {
    const cause = errorText(error);
    throw new Error(`cannot listen on vsock port ${address.port}: ${cause}`, { cause: error });
  }
}

function listening(
  server: Server,
  options: { host?: string; port?: number; path?: string },
  name: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(`cannot listen on ${name}: ${error.message}`, { cause: error })),
    );
    server.listen(options, () => {
      server.removeAllListeners("error");
      // A failing accept (EMFILE) must neither end the process nor spin: the server goes on with the next connection.
      server.on("error", () => {});
      resolve();
    });
  });
}

/** Removes the file of a Unix socket that nobody listens on any more. */
async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new Error(`cannot listen on ${path}: a file there is not a socket`);
  const code = await new Promise<string>((resolve) => {
    const probe = connect(path);
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    probe.once("connect", () => {
      resolve("");
      probe.destroy();
    });
  });
  // Only a refusal says that nobody listens: a full backlog, for one, is EAGAIN.
  if (code === "ECONNREFUSED") return unlinkSync(path);
  if (code === "ENOENT") return;
  throw new Error(
    `cannot listen on ${path}: another program listens there${code === "" ? "" : ` (${code})`}`,
  );
}
