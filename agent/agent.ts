import { formatAddress, listen, monotonicNow } from "@valinor/protocol";
import { checkAccess } from "./link/access.ts";
import { openCore } from "./core.ts";
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

/** Starts an agent. Rejects with Error where it may not or cannot listen, or cannot use its state directory. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  checkAccess(options);
  const core = await openCore(options);
  const { bounds, bootId, log, links, runs, ledger, state, openclaw } = core;
  const listener = await listen(options.address, (socket) => links.accept(socket)).catch(
    async (error: unknown) => {
      await ledger.close();
      state?.release();
      throw error;
    },
  );
  const address = formatAddress(listener.address);
  openclaw.start();
  const ticking = setInterval(() => {
    const now = monotonicNow();
    runs.sweep(now);
    ledger.sweep();
    links.tick(now);
  }, bounds.tickMs);

  async function stop(): Promise<void> {
    core.draining = true;
    log.info("draining", { in_flight: runs.inFlight.size });
    links.tell(true);
    await listener.close();
    await core.quiet();
    runs.cancelAll("the agent stops");
    await links.finish(FAREWELL_MS);
    clearInterval(ticking);
    await openclaw.close();
    await ledger.close();
    state?.release();
    log.info("stopped");
  }

  let stopping: Promise<void> | undefined;
  log.info("listening", { address, boot_id: bootId, version: VERSION });
  return {
    address,
    bootId,
    close: () => (stopping ??= stop()),
    kill() {
      core.draining = true;
      clearInterval(ticking);
      void listener.close();
      links.destroy();
      runs.abandonAll();
      void openclaw.close();
      void ledger.close();
      state?.release();
    },
  };
}
