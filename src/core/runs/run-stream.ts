import { type Frame, LinkError } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import { translate } from "../guest-errors.ts";
import { type Lifecycle, readNoFurther } from "../lifecycle.ts";
import type { RunEvent, RunOpened, RunStream } from "../types.ts";
import type { OpenedRun } from "./open-run.ts";
import { type EventReader, NumberedReader, UnnumberedReader } from "./run-events.ts";
import type { SeenRun } from "./seen-runs.ts";

/** Called once when a stream is over: with the error that ended it, or without one after `done` or close(). */
export type OnStreamEnd = (failure?: ValinorError) => void;

/** The stream of an opened run, which the server can end as well as its reader. */
export class StoppableStream implements RunStream {
  readonly opened: RunOpened;
  readonly #run: OpenedRun;
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #onEnd: OnStreamEnd;
  readonly #reader: EventReader;
  #pending: readonly Frame[];
  #failure: ValinorError | undefined;
  #ended = false;
  #forget: (() => void) | undefined;
  /** Number of the last event that was given, in this stream or before it. */
  #lastSequence: number;
  /** What stop() failed the exchange with. */
  #stopped: LinkError | undefined;

  /** `metadata` goes into the stream's errors; what comes of the run is written into `seen`. */
  constructor(
    run: OpenedRun,
    opened: RunOpened,
    metadata: Readonly<Record<string, string>>,
    seen: SeenRun,
    onEnd: OnStreamEnd,
  ) {
    this.opened = opened;
    this.#run = run;
    this.#metadata = metadata;
    this.#onEnd = onEnd;
    this.#reader = run.guest.resumable ? new NumberedReader(run.nextSequence, seen) : new UnnumberedReader();
    this.#pending = run.rest;
    this.#lastSequence = run.nextSequence - 1;
  }

  /** RunStream.next. */
  async next(): Promise<readonly RunEvent[] | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) return undefined;
    try {
      for (;;) {
        const frames = this.#pending.length > 0 ? this.#pending : await this.#run.exchange.take();
        this.#pending = [];
        if (frames === undefined)
          throw new LinkError("interrupted", "the exchange ended without a last event");
        if (frames.length === 0) return [{ kind: "keepalive" }];
        const events = this.#readAll(frames);
        // Chunks without text, as protocol 1 may send them, are no events.
        if (events.length > 0) return events;
      }
    } catch (error) {
      throw (this.#failure ??= this.#finish(error));
    }
  }

  /** RunStream.close. */
  close(): void {
    if (this.#ended) return;
    this.#end();
    this.#failure ??= new ValinorError("CLIENT_GONE", "the stream was closed", { metadata: this.#metadata });
    this.#run.exchange.detach(new LinkError("closed", "the reader left"));
  }

  /**
   * Ends the stream with DRAINING, after the events that have come. The guest is not told: its run waits for a reader as it does when a
   * link is lost. A run that can't be read again ends with RUN_INTERRUPTED. Does nothing after the end.
   */
  stop(): void {
    this.#stopped ??= new LinkError("interrupted", "this server is stopping");
    this.#run.exchange.fail(this.#stopped);
  }

  /** Has the server's end stop it. */
  endsWith(lifecycle: Lifecycle): void {
    if (!this.#ended) this.#forget = lifecycle.on("ending", () => this.stop());
  }

  /** The events of a batch; an error in it is kept until the events before it were delivered. */
  #readAll(frames: readonly Frame[]): readonly RunEvent[] {
    const events: RunEvent[] = [];
    try {
      for (const frame of frames) this.#reader.read(frame, events);
    } catch (error) {
      if (events.length === 0) throw error;
      this.#failure = this.#finish(error);
    }
    const last = events.at(-1);
    if (last !== undefined && last.kind !== "keepalive") this.#lastSequence = last.sequence;
    if (last?.kind === "done") this.#end();
    return events;
  }

  #end(reason?: ValinorError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#forget?.();
    this.#onEnd(reason);
  }

  #finish(error: unknown): ValinorError {
    const { exchange, guest } = this.#run;
    if (error instanceof LinkError) exchange.detach(error);
    const isStop = error === this.#stopped && guest.resumable;
    const cause = isStop ? readNoFurther(this.#lastSequence) : translate(error);
    const reason = cause.with(this.#metadata);
    this.#end(reason);
    return reason;
  }
}
