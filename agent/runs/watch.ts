import { monotonicNow } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";

/** What a watch calls, each at its time. */
export interface WatchEvents {
  /** No event came for the progress interval; called again after each further one. */
  onProgress(): void;
  /** The model sent no byte for too long. */
  onSilence(): void;
  /** The run has lasted too long. */
  onTooLong(): void;
}

/** The clock of one run. */
export interface Watch {
  /** The model sent something. */
  heard(): void;
  /** The run got an event: its readers have something to read. */
  event(): void;
  /** While held the model is not read, so its silence is ours: neither silence nor progress is told. */
  hold(held: boolean): void;
  stop(): void;
}

/** Starts the clock of a run. One timer a run, which sleeps to the nearest bound: an event costs it one store. */
export function startWatch(
  bounds: Pick<Bounds, "progressMs" | "modelSilenceMs" | "runMs">,
  events: WatchEvents,
): Watch {
  const startedAt = monotonicNow();
  let heardAt = startedAt;
  let toldAt = startedAt;
  let held = false;
  let timer = setTimeout(look, Math.min(bounds.progressMs, bounds.modelSilenceMs, bounds.runMs));

  function look(): void {
    const now = monotonicNow();
    if (held) heardAt = toldAt = now;
    if (now - startedAt >= bounds.runMs) return events.onTooLong();
    if (now - heardAt >= bounds.modelSilenceMs) return events.onSilence();
    if (now - toldAt >= bounds.progressMs) {
      toldAt = now;
      events.onProgress();
    }
    const wait = Math.min(
      startedAt + bounds.runMs,
      heardAt + bounds.modelSilenceMs,
      toldAt + bounds.progressMs,
    );
    timer = setTimeout(look, Math.max(1, Math.ceil(wait - now)));
  }

  return {
    heard() {
      heardAt = monotonicNow();
    },
    event() {
      toldAt = monotonicNow();
    },
    hold(value) {
      if (held && !value) heardAt = toldAt = monotonicNow();
      held = value;
    },
    stop: () => clearTimeout(timer),
  };
}
