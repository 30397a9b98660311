import type { Bounds } from "../../bounds.ts";

/** First event that OpenClaw's gateway sends on every WebSocket, before it knows who is there. */
const GREETING = '"connect.challenge"';
/** Largest greeting that is looked at. */
const GREETING_BYTES = 64 * 1024;

/** True if a server greets a WebSocket as OpenClaw's gateway does, within `probeTimeoutMs`. Never rejects. */
export async function greetsAsOpenClaw(
  url: string,
  bounds: Pick<Bounds, "connectMs" | "probeTimeoutMs">,
): Promise<boolean> {
  const { WebSocket } = await import("ws");
  const socket = new WebSocket(url, {
    maxPayload: GREETING_BYTES,
    handshakeTimeout: bounds.connectMs,
    perMessageDeflate: false,
  });
  const greeted = Promise.withResolvers<boolean>();
  socket.on("message", (data: Buffer, isBinary) => greeted.resolve(!isBinary && data.includes(GREETING)));
  for (const end of ["error", "close"]) socket.on(end, () => greeted.resolve(false));
  const timer = setTimeout(() => greeted.resolve(false), bounds.probeTimeoutMs);
  try {
    return await greeted.promise;
  } finally {
    clearTimeout(timer);
    socket.terminate();
  }
}
