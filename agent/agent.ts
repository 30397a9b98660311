import { errorText, formatAddress, listen, type Listener } from "@valinor/protocol";
import { type Core, openCore } from "./core.ts";
import { checkAccess } from "./settings/access.ts";
import type { AgentOptions } from "./settings/options.ts";
import { VERSION } from "./version.ts";

export type { AgentOptions } from "./settings/options.ts";

/** An agent that listens. */
export interface Agent {
  /** Where, as text: the port is the real one. */
  readonly address: string;
  /** Random name of this run of the agent. */
  readonly bootId: string;
  /**
   * Stops: takes no link and no message more, tells `draining`, lets runs in flight finish and be read for at most
   * `drainMs`, then cancels what is left. Resolves when everything is closed; later calls wait for the same.
   */
  close(): Promise<void>;
  /** Stops at once, as a crash would: nothing is told to anybody. */
  kill(): void;
}

/** What is queued for hosts at the end has this long to leave. */
const FAREWELL_MS = 1_000;

/** Starts an agent. Rejects with Error if it may not or cannot listen, or cannot use its state directory. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  checkAccess(options);
  const core = await openCore(options);
  const listener = await listen(options.address, (socket) => core.links.accept(socket)).catch(
    async (error: unknown) => {
      await core.close();
      throw error;
    },
  );
  const address = formatAddress(listener.address);
  const { bootId } = core.kernel;
  core.openclaw.start();
  core.log.info("listening", { address, boot_id: bootId, version: VERSION });
  let stopping: Promise<void> | undefined;
  return {
    address,
    bootId,
    close: () => (stopping ??= stop(core, listener)),
    kill() {
      const onFault = (error: unknown) => core.log.error("kill_failed", { reason: errorText(error) });
      listener.close().catch(onFault);
      core.kill().catch(onFault);
    },
  };
}

async function stop(core: Core, listener: Listener): Promise<void> {
  const drained = core.drain();
  await listener.close();
  await drained;
  await core.links.finish(FAREWELL_MS);
  await core.close();
  core.log.info("stopped");
}
