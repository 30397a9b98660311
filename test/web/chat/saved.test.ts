import { describe, expect, it } from "vitest";
import { textOf } from "../../../web/src/chat/run.ts";
import { type Box, createSavedRuns } from "../../../web/src/chat/saved.ts";
import { delta, done, freshRun, take } from "./events.ts";

/** A storage with a quota in characters. */
function storageOf(quota = Infinity): Box & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key) => values.get(key) ?? null,
    setItem(key, value) {
      let sum = value.length;
      for (const [other, kept] of values) if (other !== key) sum += kept.length;
      if (sum > quota) throw new DOMException("full", "QuotaExceededError");
      values.set(key, value);
    },
    removeItem: (key) => void values.delete(key),
    key: (index) => [...values.keys()][index] ?? null,
    get length() {
      return values.size;
    },
  };
}

describe("runs that are kept over a reload", () => {
  it("come back with text and last sequence as they belong together", () => {
    const box = storageOf();
    const run = freshRun();
    take(run, delta(1, "a"));
    createSavedRuns(box).save(run);
    take(run, delta(2, "b"));
    const [back] = createSavedRuns(box).load();
    expect(back).toMatchObject({ requestId: "r-1", lastSequence: 1 });
    expect(back && textOf(back)).toBe("a");
  });

  it("come back in the order they were sent", () => {
    const box = storageOf();
    const saved = createSavedRuns(box);
    for (const [id, at] of [
      ["late", 3],
      ["early", 1],
      ["middle", 2],
    ] as const)
      saved.save(freshRun(id, at));
    const ids = createSavedRuns(box)
      .load()
      .map(({ requestId }) => requestId);
    expect(ids).toEqual(["early", "middle", "late"]);
  });

  it("are read again from the start if their growing text is too long to keep", () => {
    const box = storageOf();
    const run = freshRun();
    take(run, delta(1, "x".repeat(500_000)));
    createSavedRuns(box).save(run);
    expect(createSavedRuns(box).load()[0]).toMatchObject({ lastSequence: 0, parts: [] });
  });

  it("keep the beginning of a long text that has ended, and say so", () => {
    const box = storageOf();
    const run = freshRun();
    for (let n = 1; n <= 200; n++) take(run, delta(n, `${"x".repeat(4999)}\n`));
    take(run, done(201));
    createSavedRuns(box).save(run);
    const [back] = createSavedRuns(box).load();
    expect(back).toMatchObject({ shortened: true, state: "done" });
    expect(back && textOf(back).length).toBeGreaterThan(300_000);
  });

  it("make room by dropping the oldest that have ended, never one that goes on", () => {
    const box = storageOf(3_000);
    const saved = createSavedRuns(box);
    const growing = freshRun("growing", 0);
    saved.save(growing);
    for (let n = 1; n <= 20; n++) {
      const run = freshRun(`ended-${n}`, n);
      take(run, done(1));
      saved.save(run);
    }
    const ids = createSavedRuns(box)
      .load()
      .map(({ requestId }) => requestId);
    expect(ids).toContain("growing");
    expect(ids).toContain("ended-20");
    expect(ids).not.toContain("ended-1");
  });

  it("ignore what is not a run of this version", () => {
    const box = storageOf();
    box.setItem("valinor.run.a", "{broken");
    box.setItem("valinor.run.b", `{"requestId":1}`);
    box.setItem("other", "stays");
    expect(createSavedRuns(box).load()).toEqual([]);
    expect([...box.values.keys()]).toEqual(["other"]);
  });
});
