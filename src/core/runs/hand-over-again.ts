import { type Guest, LinkError } from "@valinor/protocol";
import { AgentError } from "../../fleet/errors.ts";

/** How often a message is given to a guest at most. */
const TRIES = 3;

/** What is known of the guest on the other side of a connection. */
export interface Handed {
  readonly guest: Guest;
  /** Boot of the guest's process; empty if it has no name. */
  readonly bootId: string;
}

/**
 * Decides when a message is given to a guest a second time: only if its link was lost, and if another attempt can't run it twice. That is
 * so if no byte of it had left, or if the same boot of the guest, which knows the run by its name, is reached again. One object for
 * each call.
 */
export class HandOver {
  #tries = 0;
  /** Boot that may have got the message; empty while no byte of it has left. */
  #boot = "";

  /** A guest was reached, and the message is about to be given to it. Throws LinkError `interrupted` if another boot may have it. */
  begin({ bootId }: Handed): void {
    if (this.#boot !== "" && bootId !== this.#boot)
      throw new LinkError("interrupted", "the agent restarted before it had answered");
    this.#tries++;
  }

  /** What the caller is told if the guest could not be reached. */
  notReached(error: unknown): unknown {
    return this.#boot === "" ? error : inDoubt(error);
  }

  /**
   * The attempt that began last has failed. Returns if another one is safe, and throws what the caller is told if it is not, or if
   * `mayRetry` is false.
   */
  failed(error: unknown, { guest, bootId }: Handed, mayRetry: boolean): void {
    if (!isLinkLost(error) || this.#tries === TRIES || !mayRetry) throw this.notReached(error);
    if (error.code === "unreachable") return;
    if (!guest.resumable) throw error;
    this.#boot = bootId;
  }
}

function isLinkLost(error: unknown): error is LinkError {
  return error instanceof LinkError && (error.code === "interrupted" || error.code === "unreachable");
}

/** Once a byte of the message has left, no later failure to reach the guest says that it does not run. */
function inDoubt(error: unknown): unknown {
  const saysNotRun = error instanceof LinkError && (error.code === "unreachable" || error.code === "busy");
  return saysNotRun || error instanceof AgentError
    ? new LinkError("interrupted", `the agent did not answer: ${error.message}`, error)
    : error;
}
