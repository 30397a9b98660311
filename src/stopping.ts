import type { Lifecycle } from "./core/lifecycle.ts";
import type { HttpListener } from "./http/server/listener.ts";

/** What is told at the end has this long to reach its clients, and then each connection to close, milliseconds. */
const FAREWELL_MS = 1_000;
/** A drain is over when nothing was asked for this long: whoever has just connected is to be told, too. */
const QUIET_MS = 250;

/** What a stop goes through, and how long it takes. */
export interface StopOptions {
  readonly lifecycle: Lifecycle;
  readonly listener: HttpListener;
  /** How long the server is `leaving`, milliseconds. */
  readonly noticeMs: number;
  /** How long it is `draining` at most, milliseconds; it is over when no request is in flight. */
  readonly drainMs: number;
  /** Aborts when what is left is to end at once. */
  readonly hurry: AbortSignal;
  readonly info: (fields: object, text: string) => void;
}

/** Longest time that a stop takes, milliseconds. */
export function longestStopMs({ noticeMs, drainMs }: Pick<StopOptions, "noticeMs" | "drainMs">): number {
  return noticeMs + drainMs + 3 * FAREWELL_MS;
}

/** Leads a server through its last stages, until no connection is open. Every client is told why it is cut off, unless it does not read. */
export async function stopInStages(options: StopOptions): Promise<void> {
  const { lifecycle, listener, noticeMs, drainMs, hurry, info } = options;
  lifecycle.enter("leaving");
  listener.fade();
  if (noticeMs > 0)
    info({ notice_seconds: noticeMs / 1000 }, "stopping: not ready, but calls are still taken");
  await pause(noticeMs, hurry);
  lifecycle.enter("draining");
  listener.drain();
  info({ drain_seconds: drainMs / 1000 }, "draining: no new runs, calls in flight go on");
  if (!(await listener.idle(drainMs, QUIET_MS, hurry))) {
    info({}, "telling whoever still reads that the server stops");
    lifecycle.enter("ending");
    if (!(await listener.idle(FAREWELL_MS, 0))) lifecycle.enter("cutting");
    await listener.idle(FAREWELL_MS, 0);
  }
  lifecycle.enter("cutting");
  await listener.close(FAREWELL_MS);
}

function pause(ms: number, hurry: AbortSignal): Promise<void> {
  if (ms === 0 || hurry.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      hurry.removeEventListener("abort", settle);
      resolve();
    };
    const timer = setTimeout(settle, ms);
    hurry.addEventListener("abort", settle, { once: true });
  });
}
