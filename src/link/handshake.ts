import { create } from "@bufbuild/protobuf";
import { type Heartbeat, HeartbeatSchema, HelloSchema } from "@valinor/proto/valinor/link/v1/link";
import {
  LinkError,
  encodeFrame,
  type Frame,
  readPayload,
  writePayload,
  errorCodes,
  PROTOCOL,
  typeName,
  isAgentId,
} from "@valinor/protocol";

/** How a handshake stands: docs/wire-protocol.md section "Hello". */
export type HandshakeStep =
  /** Send this frame and wait for the next one. */
  | { readonly kind: "reply"; readonly frame: Buffer }
  /** The link is up. */
  | { readonly kind: "up"; readonly protocol: 1 | 2; readonly heartbeat: Heartbeat };

/**
 * The host's side of the hello. Feed it the guest's first frames in order. Throws LinkError `refused` where the guest turns
 * the host down or is not the expected one, `invalid_frame` where it breaks the protocol.
 */
export function createHandshake(token: string, expectedAgentId: string): (frame: Frame) => HandshakeStep {
  let helloSent = false;

  return (frame) => {
    if (frame.type === "error") throw refusal(frame);
    if (frame.type !== "heartbeat") {
      throw new LinkError(
        "invalid_frame",
        `the guest began with a ${typeName(frame.type)} frame, not with a heartbeat`,
      );
    }
    const heartbeat = readPayload(HeartbeatSchema, frame.payload);
    const spoken = heartbeat.protocol ?? 1;
    if (!helloSent && spoken < PROTOCOL) return { kind: "up", protocol: 1, heartbeat };
    if (spoken < PROTOCOL) {
      throw new LinkError(
        "invalid_frame",
        `the guest began with protocol ${PROTOCOL} and went on with protocol ${spoken}`,
      );
    }
    if (!helloSent) {
      helloSent = true;
      const hello = create(HelloSchema, { token, protocol: PROTOCOL });
      return { kind: "reply", frame: encodeFrame("hello", "", writePayload(HelloSchema, hello)) };
    }
    checkIdentity(heartbeat, expectedAgentId);
    return { kind: "up", protocol: 2, heartbeat };
  };
}

function checkIdentity(heartbeat: Heartbeat, expectedAgentId: string): void {
  if (!heartbeat.bootId)
    throw new LinkError("invalid_frame", "the guest's heartbeat after hello names no boot_id");
  if (heartbeat.agentId && heartbeat.agentId !== expectedAgentId) {
    // Only what may be an id is told: the text is logged.
    const name = isAgentId(heartbeat.agentId) ? JSON.stringify(heartbeat.agentId) : "of another name";
    throw new LinkError("refused", `the guest says it is agent ${name}`);
  }
}

/** The guest's own words are left out: the text is logged. */
function refusal(frame: Frame): LinkError {
  const code = errorCodes.find((name) => name === frame.payload["code"]);
  const hint = code === "hello_refused" ? ": it has another token, or none was configured here" : "";
  return new LinkError("refused", `the guest refused the hello (${code ?? "no known code"})${hint}`);
}
