import type { Duplex } from "node:stream";
import { abortError } from "./abort.ts";

/** Longest answer that is read, its newline included: `OK 4294967295\n` and some slack. */
const LINE_BYTES = 32;

/**
 * The host's side of Firecracker's vsock handshake (Firecracker docs/vsock.md, "Host-Initiated Connections"): sends
 * `CONNECT <port>\n` in one write and reads the answer byte by byte up to its newline, so that bytes of the guest that came
 * with it stay in the socket. Closes the socket on every failure: EOF (no guest listens on the port), another answer, no
 * newline in 32 bytes, abort. Whoever listens for `data` next gets what is left, even if it came long before.
 */
export async function hybridHandshake(socket: Duplex, port: number, signal: AbortSignal): Promise<Duplex> {
  try {
    if (signal.aborted) throw abortError(signal);
    socket.write(`CONNECT ${port}\n`);
    const line = await readLine(socket, signal);
    if (!/^OK \d{1,10}$/.test(line)) {
      throw new Error(`the VMM answered ${JSON.stringify(line)} to CONNECT ${port}, not OK`);
    }
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Reads to the first newline and puts back what follows it. */
function readLine(socket: Duplex, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = "";
    const settle = (error: Error | undefined) => {
      socket.off("readable", onReadable);
      socket.off("end", onEnd);
      socket.off("error", settle);
      socket.off("close", onEnd);
      signal.removeEventListener("abort", onAbort);
      if (error) reject(error);
      else resolve(line);
    };
    const onReadable = () => {
      for (;;) {
        const byte = socket.read(1) as Buffer | null;
        if (byte === null) return;
        if (byte[0] === 0x0a) return settle(undefined);
        line += byte.toString("latin1");
        if (line.length >= LINE_BYTES)
          return settle(new Error(`the VMM's answer has no newline in ${LINE_BYTES} bytes`));
      }
    };
    const onEnd = () =>
      settle(new Error("the VMM closed the connection: nothing in the guest listens on that port"));
    const onAbort = () => settle(abortError(signal));
    socket.on("readable", onReadable);
    socket.once("end", onEnd);
    socket.once("error", settle);
    socket.once("close", onEnd);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
