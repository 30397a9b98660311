import type { Frame } from "../../wire/frame.ts";

/** True for a type of frame that answers an exchange of the host. */
export function answersExchange(type: string): boolean {
  switch (type) {
    case "chunk":
    case "opened":
    case "progress":
    case "tool_call":
    case "tool_blocked":
    case "config_ack":
    case "cancel_ack":
    case "error":
      return true;
    default:
      return false;
  }
}

/** True for a frame that ends its exchange. */
export function endsExchange(frame: Frame): boolean {
  switch (frame.type) {
    case "chunk":
      return frame.payload["done"] === true;
    case "opened":
    case "progress":
    case "tool_call":
      return false;
    default:
      return true;
  }
}

/** True for a frame that needs credit: all but an error that is no event of a run. */
export function needsCredit(frame: Frame): boolean {
  return frame.type !== "error" || (frame.payload["sequence"] ?? undefined) !== undefined;
}
