import { create } from "@bufbuild/protobuf";
import { type Heartbeat, HeartbeatSchema, HelloSchema } from "@valinor/proto/valinor/link/v1/link";
import { isAgentId } from "../../rules/names.ts";
import { LinkError } from "../../wire/errors.ts";
import type { Frame } from "../../wire/frame.ts";
import { readPayload, writePayload } from "../../wire/payload.ts";
import { errorCodes, PROTOCOL, typeName } from "../../wire/vocabulary.ts";
import { type Guest, guests } from "./guest.ts";
import type { HostLinkOptions } from "./output.ts";

/** How a handshake stands: docs/wire-protocol.md section "Hello". */
export type HelloStep =
  /** Send `hello` with this payload, and wait for the next frame. */
  | { readonly kind: "reply"; readonly payload: object }
  /** The link is up. */
  | { readonly kind: "up"; readonly guest: Guest; readonly heartbeat: Heartbeat };

/**
 * The host's side of the hello, for one of the guest's first frames; `replied` says whether it was told `hello` before. Throws LinkError
 * `refused` if the guest turns the host down or is not the expected one, `invalid_frame` if it breaks the protocol.
 */
export function shake(frame: Frame, replied: boolean, options: HostLinkOptions): HelloStep {
  if (frame.type === "error") throw refusal(frame);
  if (frame.type !== "heartbeat") {
    throw new LinkError(
      "invalid_frame",
      `the guest began with a ${typeName(frame.type)} frame, not with a heartbeat`,
    );
  }
  const heartbeat = readPayload(HeartbeatSchema, frame.payload);
  const spoken = heartbeat.protocol ?? 1;
  if (!replied && spoken < PROTOCOL) return { kind: "up", guest: guests[1], heartbeat };
  if (spoken < PROTOCOL) {
    throw new LinkError(
      "invalid_frame",
      `the guest began with protocol ${PROTOCOL} and went on with protocol ${spoken}`,
    );
  }
  if (!replied) {
    const hello = create(HelloSchema, { token: options.token, protocol: PROTOCOL });
    return { kind: "reply", payload: writePayload(HelloSchema, hello) };
  }
  checkIdentity(heartbeat, options.agentId);
  return { kind: "up", guest: guests[2], heartbeat };
}

/** The guest did not finish its hello in time. */
export function lateHello(): LinkError {
  return new LinkError("timeout", "the guest did not finish its hello in time");
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
