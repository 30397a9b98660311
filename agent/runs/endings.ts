import type { ErrorCode } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";

/*
 * Who ends a run. Besides what stands here a run ends with the model's answer (`done`), with what failed in that (agent/openclaw), and with a
 * tool that the policy does not allow (`tool_blocked`). Whatever is first wins: a run has one last event.
 */

/** Why a run ended without success: the payload of its last event. */
export interface Ending {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Its last reader has left, and on_disconnect is `cancel`: see on-disconnect.ts. */
export const nobodyReads: Ending = { code: "cancelled", message: "nobody reads the run any more" };

/** The agent was told to stop, and the time to drain is over. */
export const agentStops: Ending = { code: "cancelled", message: "the agent stops" };

/** A tool call would not fit into any frame. */
export const toolCallTooLarge: Ending = {
  code: "too_large",
  message: "a tool call does not fit into a frame",
};

/** A host sent `cancel`. */
export function cancelledBy(reason: string): Ending {
  return { code: "cancelled", message: reason };
}

/** The model sent no byte for too long: see run-clock.ts. */
export function modelSilent({ modelSilenceMs }: Pick<Bounds, "modelSilenceMs">): Ending {
  return { code: "model_timeout", message: `the model was silent for ${modelSilenceMs / 1000} s` };
}

/** The run took longer than any may. */
export function tookTooLong({ runMs }: Pick<Bounds, "runMs">): Ending {
  return { code: "run_timeout", message: `the run was not over after ${runMs / 1000} s` };
}
