import type { EventStream, ReadOptions, Slots, ValinorClient } from "@valinor/client";
import { limits } from "@valinor/protocol/rules";
import { readProblem } from "../problem.ts";
import { applyEvent, applyProblem, hasEnded, isActive, type Run } from "./run.ts";

/** What reading runs takes. */
export interface RunReaderOptions {
  readonly client: Pick<ValinorClient, "stream" | "attach">;
  readonly slots: Slots;
  /** Keeps the run. Called before it is sent, from time to time while it grows, and when it is left. */
  readonly save: (run: Run) => unknown;
  /** The run has changed. Called for every event: who draws gathers the calls. */
  readonly changed: (run: Run) => void;
  /** How cuts are met, if not as usual. */
  readonly reading?: Pick<ReadOptions, "silenceMs" | "giveUpAfterMs">;
}

/** Milliseconds between two savings of a run that grows. */
const SAVE_MS = 500;
/** Milliseconds for which a run is tried again without success, before the page asks. */
const GIVE_UP_MS = 120_000;
/** A message is not sent again, only asked for, when it is half as old as what a guest remembers of requests. */
const RESEND_MS = limits.ledgerKeepMs / 2;

/** Reads runs to their ends. Cuts are the client's to mend; how a run ended stands in the run. */
export class RunReader {
  readonly #options: RunReaderOptions;
  readonly #reading = new Map<Run, AbortController>();

  constructor(options: RunReaderOptions) {
    this.#options = options;
  }

  /** Reads a run that is not being read already. */
  start(run: Run): void {
    if (this.#reading.has(run) || hasEnded(run)) return;
    const { save, changed } = this.#options;
    const controller = new AbortController();
    this.#reading.set(run, controller);
    run.problem = undefined;
    this.#setState(run, "waiting");
    save(run);
    void this.#read(run, controller.signal).finally(() => {
      this.#reading.delete(run);
      save(run);
      changed(run);
    });
  }

  /** Stops reading; the run itself goes on in its agent. */
  drop(run: Run): void {
    this.#reading.get(run)?.abort(new Error("dropped"));
  }

  /** Keeps every run that is being read as it is now: before the page goes away. */
  saveAll(): void {
    for (const run of this.#reading.keys()) this.#options.save(run);
  }

  async #read(run: Run, signal: AbortSignal): Promise<void> {
    const { save, changed } = this.#options;
    const events = this.#open(run, signal);
    let savedAt = performance.now();
    try {
      for await (const event of events) {
        applyEvent(run, event);
        changed(run);
        if (performance.now() - savedAt < SAVE_MS) continue;
        savedAt = performance.now();
        save(run);
      }
    } catch (thrown) {
      if (signal.aborted) return;
      // What the agent surely does not have may be sent as if for the first time.
      run.sent = events.delivery !== "none";
      applyProblem(run, readProblem(thrown));
    }
  }

  /** Opens the run's events after those that it has, with the message if the agent may have none of it. */
  #open(run: Run, signal: AbortSignal): EventStream {
    const { client, reading } = this.#options;
    const { agentId, conversationId, requestId, allowStaleConfig, life } = run;
    const options: ReadOptions = {
      giveUpAfterMs: GIVE_UP_MS,
      ...reading,
      signal,
      onDisconnect: "continue",
      slots: { take: (waiting) => this.#takeSlot(run, waiting) },
      shouldRetry: ({ error, transient }) => transient || error.reason === "SEQUENCE_GAP",
      onRetry: ({ error }) => {
        run.problem = readProblem(error);
        this.#setState(run, run.lastSequence > 0 ? "resuming" : "sending");
      },
      onResumed: () => {
        run.problem = undefined;
        this.#setState(run, "streaming");
      },
    };
    // By whichever clock: one that was set back says nothing of the message's age.
    const old = Math.abs(Date.now() - run.sentAt) > RESEND_MS;
    if (run.lastSequence > 0 || life !== "" || old)
      return client.attach(agentId, requestId, { ...options, afterSequence: run.lastSequence, life });
    return client.stream(agentId, run.message, {
      ...options,
      requestId,
      conversationId,
      allowStaleConfig,
      sentBefore: run.sent,
    });
  }

  async #takeSlot(run: Run, signal: AbortSignal): Promise<() => void> {
    const giveBack = await this.#options.slots.take(signal);
    if (run.state === "waiting") this.#setState(run, run.lastSequence > 0 ? "resuming" : "sending");
    if (!run.sent) {
      run.sent = true;
      this.#options.save(run);
    }
    return giveBack;
  }

  #setState(run: Run, state: Run["state"]): void {
    if (!isActive({ ...run, state })) return;
    run.state = state;
    this.#options.changed(run);
  }
}
