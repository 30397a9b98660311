import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterFile } from "./cleanup.ts";

/** An address of 127.0.0.1 whose connections go on to another port, and may be cut, held or moved. */
export interface TcpSwitch {
  readonly port: number;
  /** Destroys every connection. */
  cut(): void;
  /** Swallows every byte until `release`, as a network does that is cut. */
  hold(): void;
  release(): void;
  /** Cuts, and sends later connections to another port, as a virtual IP or a balancer does. */
  moveTo(port: number): void;
  /** Cuts, and takes no more connections; the end of the test file does so, too. */
  close(): void;
}

/** Starts a switch in front of a port of 127.0.0.1. */
export async function startTcpSwitch(port: number): Promise<TcpSwitch> {
  const sockets = new Set<Socket>();
  let target = port;
  let isHeld = false;
  const listener = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: target, host: "127.0.0.1", noDelay: true });
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => into.destroy());
      from.on("close", () => {
        sockets.delete(from);
        into.destroy();
      });
      from.on("data", (bytes: Buffer) => {
        if (isHeld || into.write(bytes)) return;
        from.pause();
        into.once("drain", () => from.resume());
      });
      from.on("end", () => into.end());
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  const close = (): void => {
    listener.close();
    cut();
  };
  afterFile(close);
  return {
    port: (listener.address() as AddressInfo).port,
    cut,
    hold: () => void (isHeld = true),
    release: () => void (isHeld = false),
    moveTo(other) {
      target = other;
      cut();
    },
    close,
  };
}
