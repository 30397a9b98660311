import type { Client } from "@connectrpc/connect";
import type { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import { isTransient, toValinorError } from "./errors.ts";
import { sleep } from "./retry.ts";

/** Milliseconds within which a run is cancelled after its reader has left; what is not cancelled by then goes on. */
const CANCEL_MS = 3_000;
/** How often a run is looked for whose stream was left before it was opened. */
const CANCEL_LOOKS = 4;

/**
 * Cancels the run of a reader that has left. A message that is still under way has no run yet that could be found: until the stream
 * was opened, it is looked for a few times. Never rejects.
 */
export async function cancelRun(
  client: Client<typeof AgentProxy>,
  { agentId, requestId }: { readonly agentId: string; readonly requestId: string },
  isOpened: () => boolean,
): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_MS);
  const settle = async (looked: number): Promise<boolean> => {
    try {
      const reason = "the client left";
      const { found } = await client.cancelMessage({ agentId, requestId, reason }, { signal });
      return found || isOpened() || looked > CANCEL_LOOKS;
    } catch (error) {
      return !isTransient(toValinorError(error));
    }
  };
  for (let looked = 1; !signal.aborted && !(await settle(looked)); looked++) {
    // When the time is over there is nobody left to tell.
    await sleep(50 * looked, signal).catch(() => {});
  }
}
