import { LinkError, type Frame } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import { translate } from "../guest-errors.ts";
import { type Lifecycle, readNoFurther } from "../lifecycle.ts";
import type { OpenedRun } from "./open-run.ts";
import { type EventReader, numberedReader, unnumberedReader } from "./run-events.ts";
import type { SeenRun } from "./seen-runs.ts";
import type { RunEvent, RunOpened, RunStream } from "../types.ts";

/** A stream that the server can end. */
export interface StoppableStream extends RunStream {
  /**
   * Ends the stream, after the events that have come, with DRAINING. The guest is not told: its run waits for a reader as it does when
   * a link is lost. Of protocol 1 no run can be read again: that one is RUN_INTERRUPTED. Does nothing after the end.
   */
  stop(): void;
}

/**
 * Makes the stream of an opened run; `metadata` goes into its errors, and what comes of the run is taken down in `seen`. `onEnd` is called once, when the stream is over: with the error
 * where one ended it, without after `done` or close().
 */
export function createRunStream(
  run: OpenedRun,
  opened: RunOpened,
  metadata: Record<string, string>,
  seen: SeenRun,
  onEnd: (failure?: ValinorError) => void,
): StoppableStream {
  const { exchange } = run;
  const reader: EventReader =
    run.protocol === 2 ? numberedReader(run.nextSequence, seen) : unnumberedReader();
  let pending: readonly Frame[] = run.rest;
  let failure: ValinorError | undefined;
  let ended = false;
  /** Number of the last event that was given; of what came before this stream, too. */
  let lastSequence = run.nextSequence - 1;
  const stopped = new LinkError("interrupted", "this server is stopping");

  async function next(): Promise<readonly RunEvent[] | undefined> {
    if (failure !== undefined) throw failure;
    if (ended) return undefined;
    try {
      for (;;) {
        const frames = pending.length > 0 ? pending : await exchange.take();
        pending = [];
        if (frames === undefined)
          throw new LinkError("interrupted", "the exchange ended without a last event");
        if (frames.length === 0) return [{ kind: "keepalive" }];
        const events = readAll(frames);
        // Chunks without text, as protocol 1 may send them, are no events.
        if (events.length > 0) return events;
      }
    } catch (error) {
      return fail(error);
    }
  }

  /** The events of a batch; an error in it is kept until the events before it were delivered. */
  function readAll(frames: readonly Frame[]): readonly RunEvent[] {
    const events: RunEvent[] = [];
    try {
      for (const frame of frames) reader.read(frame, events);
    } catch (error) {
      if (events.length === 0) throw error;
      failure = finish(error);
    }
    const last = events.at(-1);
    if (last !== undefined && last.kind !== "keepalive") lastSequence = last.sequence;
    if (last?.kind === "done") end();
    return events;
  }

  function end(reason?: ValinorError): void {
    if (ended) return;
    ended = true;
    onEnd(reason);
  }

  function finish(error: unknown): ValinorError {
    if (error instanceof LinkError) exchange.detach(error);
    const isStop = error === stopped && run.protocol === 2;
    const reason = (isStop ? readNoFurther(lastSequence) : translate(error)).with(metadata);
    end(reason);
    return reason;
  }

  function fail(error: unknown): Promise<never> {
    failure ??= finish(error);
    return Promise.reject(failure);
  }

  return {
    opened,
    next,
    close() {
      if (ended) return;
      end();
      failure ??= new ValinorError("CLIENT_GONE", "the stream was closed", { metadata });
      exchange.detach(new LinkError("closed", "the reader left"));
    },
    stop: () => exchange.fail(stopped),
  };
}

/**
 * Waits until a run is open, and no longer than the server does. One that is opened too late is left to its link, which ends soon:
 * to detach from it could cancel it.
 */
export function untilEnding(
  lifecycle: Lifecycle,
  opening: Promise<OpenedRun>,
  afterSequence: number,
): Promise<OpenedRun> {
  return new Promise((resolve, reject) => {
    const forget = lifecycle.on("ending", () => reject(readNoFurther(afterSequence)));
    opening.then(resolve, reject).finally(forget);
  });
}
