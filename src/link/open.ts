import type { Duplex } from "node:stream";
import {
  type Channel,
  type ChannelEvents,
  createChannel,
  type FrameRules,
  LinkError,
  type Frame,
  limits,
} from "@valinor/protocol";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { EstablishedConnection } from "./established.ts";
import { createHandshake } from "./handshake.ts";

/**
 * Shakes hands on a connected socket and resolves with the connection. Rejects with LinkError, the socket closed, where the
 * guest breaks the protocol, refuses, or has not finished when the signal aborts.
 */
export function openConnection(
  socket: Duplex,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { intake } = options;
    const handshake = createHandshake(options.token, options.agentId);
    let established: EstablishedConnection | undefined;
    const owner = { close: (reason: LinkError) => channel.close(reason) };

    function shake(frame: Frame): void {
      try {
        const step = handshake(frame);
        if (step.kind === "reply") return void channel.writer.control(step.frame);
        signal.removeEventListener("abort", onAbort);
        established = new EstablishedConnection(channel, step.protocol, step.heartbeat, options);
        resolve(established);
      } catch (error) {
        channel.close(LinkError.from(error, "invalid_frame"));
      }
    }

    const rules: FrameRules = {
      tokens: limits.guestTokens,
      mostBytes: () => established?.mostBytes() ?? limits.smallFrameBytes,
      wants: (envelope, size) => established?.wants(envelope, size) ?? true,
      onDropped: (envelope, size) => established?.onDropped(envelope, size),
      onPartial: (bytes, announced) => intake.partials.hold(owner, bytes, announced),
    };
    const events: ChannelEvents = {
      onFrame: (frame) => (established === undefined ? shake(frame) : established.onFrame(frame)),
      onClose(reason) {
        signal.removeEventListener("abort", onAbort);
        intake.partials.hold(owner, 0, 0);
        if (established !== undefined) established.onClose(reason);
        else reject(reason);
      },
    };
    const channel: Channel = createChannel(socket, events, { rules, turns: intake.turns });
    const onAbort = () =>
      channel.close(new LinkError("timeout", "the guest did not finish its hello in time"));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
