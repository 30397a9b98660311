import type { Socket } from "node:net";
import { createSecureContext, createServer, type TLSSocket } from "node:tls";
import type { Spoken } from "./preface.ts";

/** Certificate chain and private key, in PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Takes connections whose handshake is done. */
export type KnownTls = (socket: TLSSocket, spoken: Spoken, raw: Socket) => void;

/** What turns accepted connections into TLS ones. */
export interface TlsEntry {
  /** Says who takes connections once their handshake is done; to be called once, before the first enters. */
  onKnown(known: KnownTls): void;
  enter(raw: Socket): void;
  /** Uses another certificate for handshakes from now on. Throws Error if it can't be used, and keeps the one before. */
  useCertificate(files: TlsFiles): void;
}

/** What every handshake has, whatever the certificate. */
const common = { minVersion: "TLSv1.2" } as const;

/**
 * Makes what turns accepted connections into TLS ones. A connection is handed on once its handshake is done and it said by ALPN what
 * it speaks (nothing said: HTTP/1.1), with the raw connection under it; one that takes longer than `handshakeMs`, or fails, is destroyed
 * and never handed on.
 */
export function createTlsEntry(files: TlsFiles, handshakeMs: number): TlsEntry {
  const server = createServer({
    ...files,
    ...common,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: handshakeMs,
  });
  let known: KnownTls = (socket) => void socket.destroy();
  // A TLS socket doesn't tell what is under it; both have the same ends.
  const shaking = new Map<string, Socket>();
  server.on("secureConnection", (socket) => {
    const raw = shaking.get(endsOf(socket));
    if (raw === undefined) return void socket.destroy();
    known(socket, socket.alpnProtocol === "h2" ? "http2" : "http1", raw);
  });
  // Strangers and scanners that speak no TLS are no error of ours. Node leaves closing the connection to us.
  server.on("tlsClientError", (_error, socket) => void socket.destroy());
  // This server listens on nothing: it is given connections.
  return {
    onKnown(call) {
      known = call;
    },
    useCertificate(next) {
      // Made first for itself: a server that is given a bad one would have none.
      createSecureContext({ ...next, ...common });
      server.setSecureContext({ ...next, ...common });
    },
    enter(raw) {
      const peer = endsOf(raw);
      shaking.set(peer, raw);
      raw.once("close", () => {
        // A peer may be back with the same port before its old connection is known to be closed.
        if (shaking.get(peer) === raw) shaking.delete(peer);
      });
      server.emit("connection", raw);
    },
  };
}

function endsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`;
}
