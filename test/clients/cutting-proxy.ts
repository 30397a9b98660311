import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { afterFile } from "../helpers/cleanup.ts";

/** What one connection lets through before it is destroyed, in bytes; Infinity: it is never cut. */
export interface Cut {
  /** From the client to the server. */
  readonly up: number;
  /** From the server to the client. */
  readonly down: number;
}

/** A TCP proxy that cuts connections. */
export interface CuttingProxy {
  readonly url: string;
  /** Connections that it has destroyed. */
  readonly cuts: number;
  /** Says for each connection what it lets through; every connection that exists follows its own plan. */
  plan(next: () => Cut): void;
  /** Destroys every connection now. */
  cutAll(): void;
}

/** Lets everything through. */
export const WHOLE: Cut = { up: Infinity, down: Infinity };

/** Starts a proxy in front of `target`; it lets everything through until it is told otherwise. It ends after the file. */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const port = Number(new URL(target).port);
  const open = new Set<Socket>();
  let cuts = 0;
  let next = (): Cut => WHOLE;

  const server = createServer((client) => {
    const cut = next();
    const upstream = connect(port, "127.0.0.1");
    const pair = [client, upstream];
    const destroy = (): void => pair.forEach((socket) => socket.destroy());
    for (const socket of pair) {
      open.add(socket);
      socket.on("error", destroy);
      socket.on("close", () => {
        open.delete(socket);
        destroy();
      });
    }
    const forward = (from: Socket, to: Socket, allowed: number): void => {
      let left = allowed;
      from.on("data", (bytes: Buffer) => {
        if (bytes.length < left) {
          left -= bytes.length;
          to.write(bytes);
          return;
        }
        cuts++;
        from.pause();
        // What is allowed arrives; the connection ends behind it.
        to.write(bytes.subarray(0, left), destroy);
      });
    };
    forward(client, upstream, cut.up);
    forward(upstream, client, cut.down);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cutAll = (): void => open.forEach((socket) => socket.destroy());
  afterFile(() => {
    cutAll();
    server.close();
  });
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    get cuts() {
      return cuts;
    },
    plan(plan) {
      next = plan;
    },
    cutAll,
  };
}
