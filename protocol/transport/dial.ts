import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { LinkError } from "../wire/errors.ts";
import { abortError } from "./abort.ts";
import { type Address, formatAddress } from "./address.ts";
import { hybridHandshake } from "./hybrid.ts";
import { connectLending } from "./lending-socket.ts";
import { dialVsock } from "./vsock.ts";
import { errorText } from "../rules/error-text.ts";

/**
 * Connects to a guest. Resolves with a socket on which the guest speaks first; nothing of what it said is lost.
 * Rejects with LinkError `unreachable` that names the address and the cause, also when the signal aborts: then no socket is
 * left behind. An error of the socket before its owner listens is not lost to `close`, and ends no process.
 */
export async function dial(address: Address, signal: AbortSignal): Promise<Duplex> {
  try {
    switch (address.kind) {
      case "tcp":
        return await connected(connectLending({ host: address.host, port: address.port }), signal);
      case "unix":
        return await connected(connectLending({ path: address.path }), signal);
      case "hybrid":
        return await hybridHandshake(
          await connected(connectLending({ path: address.path }), signal),
          address.port,
          signal,
        );
      case "vsock":
        return await dialVsock(address, signal);
    }
  } catch (error) {
    const cause = errorText(error);
    throw new LinkError("unreachable", `${formatAddress(address)}: ${cause}`, error);
  }
}

/** Stays with the socket for as long as that lives: it must keep nothing of the attempt, as a function made there would. */
function ignore(): void {}

/** Waits until a socket is connected; destroys it on error and on abort. */
function connected(socket: Socket, signal: AbortSignal): Promise<Socket> {
  // Between here and its owner's listener nobody else takes an error.
  socket.on("error", ignore);
  return new Promise((resolve, reject) => {
    const settle = () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect);
      socket.off("error", onError);
    };
    const onConnect = () => {
      settle();
      resolve(socket);
    };
    const onError = (error: Error) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = () => onError(abortError(signal));
    if (signal.aborted) return onAbort();
    socket.once("connect", onConnect);
    socket.once("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
