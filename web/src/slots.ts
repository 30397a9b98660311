import type { Slots } from "@valinor/client";

/** Slots of only this page, given in the order in which they were asked for. */
export function createLocalSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  const giveBack = () => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    take(signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (free > 0) {
        free--;
        return Promise.resolve(once(giveBack));
      }
      return new Promise((resolve, reject) => {
        const abort = () => {
          waiting.splice(waiting.indexOf(grant), 1);
          reject(signal.reason);
        };
        const grant = () => {
          signal.removeEventListener("abort", abort);
          resolve(once(giveBack));
        };
        waiting.push(grant);
        signal.addEventListener("abort", abort, { once: true });
      });
    },
  };
}

/**
 * Slots shared by every page of this origin, as a browser's six connections of HTTP/1.1 are: each slot is a lock of that name,
 * which ends with its page at the latest.
 */
export function createSharedSlots(locks: LockManager, name: string, count: number): Slots {
  const names = Array.from({ length: count }, (_, index) => `${name}-${index}`);
  const local = createLocalSlots(count);
  return {
    async take(signal) {
      const release = await local.take(signal);
      try {
        const unlock = await lockOne(locks, names, signal);
        return once(() => {
          unlock();
          release();
        });
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

/**
 * Asks for all of the locks, keeps the first that is granted and gives up the others. Rejects with the signal's reason, or with the
 * browser's error if it grants none.
 */
function lockOne(locks: LockManager, names: readonly string[], signal: AbortSignal): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const settled = new AbortController();
    const either = AbortSignal.any([signal, settled.signal]);
    let taken = false;
    let fault: unknown;
    const hold = () => {
      if (taken || signal.aborted) return undefined;
      taken = true;
      const { promise, resolve: unlock } = Promise.withResolvers<void>();
      resolve(unlock);
      settled.abort();
      return promise;
    };
    const ask = (name: string) =>
      locks.request(name, { signal: either }, hold).catch((error: unknown) => {
        if (!either.aborted) fault = error;
      });
    void Promise.all(names.map(ask)).then(() => taken || reject(signal.aborted ? signal.reason : fault));
  });
}

function once(call: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    call();
  };
}
