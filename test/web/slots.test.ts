import { describe, expect, it } from "vitest";
import { createLocalSlots, createSharedSlots } from "../../web/src/slots.ts";

const never = new AbortController().signal;

/** The locks of a browser, which its pages share. */
function createLocks(): LockManager {
  const queues = new Map<string, Promise<unknown>>();
  const request = async (name: string, options: { signal: AbortSignal }, hold: () => unknown) => {
    options.signal.throwIfAborted();
    const before = queues.get(name) ?? Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    queues.set(
      name,
      before.then(() => promise),
    );
    const aborted = new Promise((_, reject) => {
      options.signal.addEventListener("abort", () => reject(options.signal.reason));
    });
    try {
      await Promise.race([before, aborted]);
      options.signal.throwIfAborted();
      await hold();
    } finally {
      resolve();
    }
  };
  return { request } as unknown as LockManager;
}

/** What a promise has become, once everything that can happen has happened. */
async function stateOf(promise: Promise<unknown>): Promise<"pending" | "done" | "failed"> {
  let state: "pending" | "done" | "failed" = "pending";
  promise.then(
    () => (state = "done"),
    () => (state = "failed"),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return state;
}

describe("the slots of one page", () => {
  it("are given in the order in which they were asked for", async () => {
    const slots = createLocalSlots(1);
    const giveBack = await slots.take(never);
    const [second, third] = [slots.take(never), slots.take(never)];
    expect([await stateOf(second), await stateOf(third)]).toEqual(["pending", "pending"]);
    giveBack();
    expect([await stateOf(second), await stateOf(third)]).toEqual(["done", "pending"]);
  });

  it("count as given back once, however often that is said", async () => {
    const slots = createLocalSlots(1);
    const giveBack = await slots.take(never);
    giveBack();
    giveBack();
    await slots.take(never);
    expect(await stateOf(slots.take(never))).toBe("pending");
  });

  it("go to nobody who has left the line", async () => {
    const slots = createLocalSlots(1);
    const giveBack = await slots.take(never);
    const leave = new AbortController();
    const left = slots.take(leave.signal);
    const next = slots.take(never);
    leave.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
    giveBack();
    expect(await stateOf(next)).toBe("done");
  });
});

describe("the slots that the pages of a browser share", () => {
  it("are as many as all pages have together", async () => {
    const locks = createLocks();
    const [one, other] = [createSharedSlots(locks, "s", 2), createSharedSlots(locks, "s", 2)];
    const giveBack = await one.take(never);
    await other.take(never);
    const waiting = other.take(never);
    expect(await stateOf(waiting)).toBe("pending");
    giveBack();
    expect(await stateOf(waiting)).toBe("done");
  });

  it("go to nobody who has left the line", async () => {
    const locks = createLocks();
    const slots = createSharedSlots(locks, "s", 1);
    const giveBack = await createSharedSlots(locks, "s", 1).take(never);
    const leave = new AbortController();
    const left = slots.take(leave.signal);
    leave.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
    giveBack();
    expect(await stateOf(slots.take(never))).toBe("done");
  });

  it("say why the browser grants none", async () => {
    const request = () => Promise.reject(new DOMException("no locks here", "SecurityError"));
    const slots = createSharedSlots({ request } as unknown as LockManager, "s", 2);
    await expect(slots.take(never)).rejects.toThrow("no locks here");
  });
});
