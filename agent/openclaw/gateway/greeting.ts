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
  const { Agent, WebSocket } = await import("undici");
  const dispatcher = new Agent({
    connect: { timeout: bounds.connectMs },
    webSocket: { maxPayloadSize: GREETING_BYTES },
  });
  const socket = new WebSocket(url, { dispatcher });
  const greeted = Promise.withResolvers<boolean>();
  socket.addEventListener("message", ({ data }) =>
    greeted.resolve(typeof data === "string" && data.includes(GREETING)),
  );
  for (const end of ["error", "close"]) socket.addEventListener(end, () => greeted.resolve(false));
  const timer = setTimeout(() => greeted.resolve(false), bounds.probeTimeoutMs);
  try {
    return await greeted.promise;
  } finally {
    clearTimeout(timer);
    socket.close();
    void dispatcher.destroy().catch(() => {}); // nothing of it is needed any more, whatever becomes of it
  }
}
