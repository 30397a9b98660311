import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Answer, GuestPlan, GuestReport, InForce, Request } from "./messages.ts";

/** The thread of the simulated guests. */
export interface Guests {
  /** From now on everything that the guests say is right and in time. */
  endFaults(): Promise<void>;
  /** What each has now, in the order of the plans. */
  inForce(): Promise<readonly InForce[]>;
  /** What each did, in the order of the plans. */
  report(): Promise<readonly GuestReport[]>;
  close(): Promise<void>;
}

/** Starts it; every guest listens when this resolves. */
export async function startGuests(seed: number, plans: readonly GuestPlan[]): Promise<Guests> {
  const worker = new Worker(new URL("./guests-thread.ts", import.meta.url));
  async function ask(request: Request): Promise<Answer> {
    const answered = once(worker, "message");
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage(request);
    return ((await answered) as [Answer])[0];
  }
  await ask({ kind: "start", seed, plans });
  return {
    endFaults: async () => void (await ask({ kind: "end_faults" })),
    async inForce() {
      const answer = await ask({ kind: "in_force" });
      if (answer.kind !== "in_force") throw new Error("the guests' thread answers out of turn");
      return answer.guests;
    },
    async report() {
      const answer = await ask({ kind: "report" });
      if (answer.kind !== "report") throw new Error("the guests' thread answers out of turn");
      return answer.reports;
    },
    close: async () => void (await worker.terminate()),
  };
}
