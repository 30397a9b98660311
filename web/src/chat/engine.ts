import type { StreamResponse } from "@valinor/proto/valinor/v1/agent_proxy";
import { backoffMs, pause } from "../backoff.ts";
import { readProblem } from "../problem.ts";
import type { Slots } from "../slots.ts";
import { applyEvent, applyProblem, hasEnded, isActive, notResumable, type Run } from "./run.ts";

/** What reading runs takes. */
export interface EngineOptions {
  /**
   * Opens the run's stream after its last sequence, with the message where it has none yet: the same request_id never runs twice.
   * The stream ends with `done` or rejects.
   */
  readonly open: (run: Run, signal: AbortSignal) => AsyncIterable<StreamResponse>;
  readonly slots: Slots;
  /** Keeps the run. Called before it is sent, from time to time while it grows, and when it has ended. */
  readonly save: (run: Run) => unknown;
  /** The run has changed. Called for every event: who draws gathers the calls. */
  readonly changed: (run: Run) => void;
  /** Says `online` when the network is back. */
  readonly network?: EventTarget;
  /** Milliseconds without a sign of life after which a stream is taken for dead; the server sends one every 15 s. Default 45 s. */
  readonly silenceMs?: number;
  /** Milliseconds for which a run is tried again without success. Default 2 minutes. */
  readonly patienceMs?: number;
}

/** Reads runs to their ends, through cuts. */
export interface Engine {
  /** Reads a run that is not being read already. It never rejects: how it ended stands in the run. */
  start(run: Run): void;
  /** Stops reading; the run itself goes on in its agent. Used where it was never sent. */
  drop(run: Run): void;
  /** Keeps every run that is being read as it is now: before the page goes away. */
  saveAll(): void;
}

/** Milliseconds between two savings of a run that grows. */
const SAVE_MS = 500;

/** Makes the engine. */
export function createEngine(options: EngineOptions): Engine {
  const reading = new Map<Run, AbortController>();
  return {
    start(run) {
      if (reading.has(run) || hasEnded(run)) return;
      const controller = new AbortController();
      reading.set(run, controller);
      run.problem = undefined;
      setState(options, run, "waiting");
      options.save(run);
      void readToEnd(options, run, controller.signal).finally(() => {
        reading.delete(run);
        options.save(run);
        options.changed(run);
      });
    },
    drop(run) {
      reading.get(run)?.abort(new Error("dropped"));
    },
    saveAll() {
      for (const run of reading.keys()) options.save(run);
    },
  };
}

async function readToEnd(options: EngineOptions, run: Run, signal: AbortSignal): Promise<void> {
  const { patienceMs = 120_000 } = options;
  let progressAt = performance.now();
  for (let attempt = 0; ; attempt++) {
    const had = run.lastSequence;
    try {
      await readOnce(options, run, signal);
      if (hasEnded(run)) return;
      throw new Error("the stream ended without an end of the run");
    } catch (thrown) {
      if (signal.aborted) return;
      const problem = readProblem(thrown);
      if (run.lastSequence > had) {
        progressAt = performance.now();
        attempt = 0;
      }
      const patient = problem.passing && performance.now() - progressAt < patienceMs;
      if (problem.passing && !run.resumable && run.lastSequence > 0) {
        applyProblem(run, notResumable);
        run.state = "failed";
        return;
      }
      if (!patient) return applyProblem(run, problem);
      run.problem = problem;
      setState(options, run, run.lastSequence > 0 ? "resuming" : "sending");
      await pause(Math.max(backoffMs(attempt), problem.retryMs), signal, options.network).catch(() => {});
      if (signal.aborted) return;
    }
  }
}

/** Reads the run's stream once, as far as it goes. */
async function readOnce(options: EngineOptions, run: Run, signal: AbortSignal): Promise<void> {
  const giveBack = await options.slots.take(signal);
  const attempt = new AbortController();
  const silence = watchSilence(options.silenceMs ?? 45_000, () => attempt.abort(new Error("silence")));
  try {
    if (run.state === "waiting") setState(options, run, run.lastSequence > 0 ? "resuming" : "sending");
    if (!run.sent) {
      run.sent = true;
      options.save(run);
    }
    let savedAt = performance.now();
    for await (const event of options.open(run, AbortSignal.any([signal, attempt.signal]))) {
      silence.sign();
      applyEvent(run, event);
      options.changed(run);
      if (hasEnded(run)) return;
      if (performance.now() - savedAt > SAVE_MS) {
        savedAt = performance.now();
        options.save(run);
      }
    }
  } finally {
    silence.stop();
    // A stream that is left without this keeps its connection until the server ends it.
    attempt.abort(new Error("left"));
    giveBack();
  }
}

/** Calls back once when nothing gave a sign for `ms`, or for a quarter longer. */
function watchSilence(ms: number, call: () => void): { sign(): void; stop(): void } {
  let at = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - at < ms) return;
    clearInterval(timer);
    call();
  }, ms / 4);
  return {
    sign: () => (at = performance.now()),
    stop: () => clearInterval(timer),
  };
}

function setState(options: EngineOptions, run: Run, state: Run["state"]): void {
  if (!isActive({ ...run, state })) return;
  run.state = state;
  options.changed(run);
}
