import { ValinorError } from "./errors.ts";

/**
 * How a server goes: it is `serving`; `leaving`: it says that it is not ready, and does everything still; `draining`: no run begins,
 * runs that are being read go on; `ending`: every stream and message that is left ends with DRAINING; `cutting`: so does every
 * other call.
 */
export type Stage = (typeof stages)[number];

const stages = ["serving", "leaving", "draining", "ending", "cutting"] as const;

/** Which stage a server has reached. It never goes back. */
export interface Lifecycle {
  readonly stage: Stage;
  /** True once the stage, or a later one, is reached. */
  reached(stage: Stage): boolean;
  /** Goes on to a stage, and calls whoever waits for it or for one before it. Does nothing if it is reached already. */
  enter(stage: Stage): void;
  /** Calls back once, when the stage is reached; at once if it is reached already. The answer cancels the call. Calls must not throw. */
  on(stage: Stage, call: () => void): () => void;
}

/** Makes the lifecycle of a server that serves. */
export function createLifecycle(): Lifecycle {
  const waiting = new Map<Stage, Set<() => void>>(stages.map((stage) => [stage, new Set()]));
  let current = 0;
  return {
    get stage() {
      return stages[current] ?? "cutting";
    },
    reached: (stage) => current >= stages.indexOf(stage),
    enter(stage) {
      const to = stages.indexOf(stage);
      while (current < to) {
        const calls = waiting.get(stages[++current] ?? "cutting") ?? new Set();
        for (const call of calls) call();
        calls.clear();
      }
    },
    on(stage, call) {
      if (current >= stages.indexOf(stage)) {
        call();
        return () => {};
      }
      const calls = waiting.get(stage);
      calls?.add(call);
      return () => calls?.delete(call);
    },
  };
}

/** The error of what a server that stops does not begin. */
export function notBegun(): ValinorError {
  return new ValinorError("DRAINING", "this server is stopping: try another, or again");
}

/**
 * The error of a run that the server reads no further: the run goes on. `lastSequence` is the last event that was given; that it
 * is in the metadata says that the agent may have the message.
 */
export function readNoFurther(lastSequence: number): ValinorError {
  const text = `this server is stopping and the run goes on: read it after event ${lastSequence}, at another server or in a moment`;
  return new ValinorError("DRAINING", text, { metadata: { last_sequence: String(lastSequence) } });
}

/** The error of any other call that the end of the server cut short. */
function cutShort(): ValinorError {
  return new ValinorError("DRAINING", "this server is stopping: the call may have been done, or not");
}

/** Calls back once, with DRAINING, when the server waits for calls no longer; at once if that is so already. The answer cancels the call. */
export function onCut(lifecycle: Lifecycle, call: (error: ValinorError) => void): () => void {
  return lifecycle.on("cutting", () => call(cutShort()));
}

/** The call's own end, or DRAINING as soon as the server waits no longer. Without a lifecycle it is the call itself. */
export function untilCut<T>(lifecycle: Lifecycle | undefined, call: Promise<T>): Promise<T> {
  if (lifecycle === undefined) return call;
  return new Promise((resolve, reject) => {
    const forget = onCut(lifecycle, reject);
    void call.then(resolve, reject).then(forget);
  });
}
