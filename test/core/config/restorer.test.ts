import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type NotKept, Restorer } from "../../../src/core/config/restorer.ts";
import { type ContextRecord, StoreError } from "../../../src/store/store.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const entry = (version: string): ContextRecord => ({
  key: "",
  payload: {},
  updateTime: new Date(0),
  version,
});

function refused(version: string, before?: ContextRecord): NotKept {
  return {
    key: { tenant: "acme", id: "a1" },
    entry: entry(version),
    before,
    refused: true,
    onRestored: () => {},
  };
}

/** A restorer over a store that fails so many times, and what both were told. */
function world(failures: number) {
  let left = failures;
  const restored: (ContextRecord | undefined)[] = [];
  const givenUp: string[] = [];
  const store = {
    async restoreContext(_key: unknown, _entry: unknown, before: ContextRecord | undefined) {
      if (left-- > 0) throw new StoreError("unavailable", "the store failed");
      restored.push(before);
      return true;
    },
  };
  const restorer = new Restorer(store, (error, text) => givenUp.push(`${text}: ${String(error)}`));
  return { restorer, restored, givenUp };
}

it("puts back what was before the first of two refused entries in a row", async () => {
  const { restorer, restored } = world(0);
  const good = entry("good");
  await restorer.notKept(refused("first", good));
  await restorer.notKept(refused("second", entry("first")));
  expect(restored).toEqual([good, good]);
});

it("tries again behind the caller while the store does not answer", async () => {
  const { restorer, restored, givenUp } = world(3);
  await restorer.notKept(refused("first"));
  expect(restored).toEqual([]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(restored).toEqual([undefined]);
  expect(givenUp).toEqual([]);
});

it("reports an entry that it gives up, once and with the agent's id", async () => {
  const { restorer, restored, givenUp } = world(Infinity);
  await restorer.notKept(refused("first"));
  await vi.advanceTimersByTimeAsync(10 * 60_000);
  expect(restored).toEqual([]);
  expect(givenUp).toEqual([
    "agent a1 refused a context entry, which could not be taken back: StoreError: the store failed",
  ]);
});

it("reports an entry at once if too many others are being put back already", async () => {
  const { restorer, givenUp } = world(Infinity);
  for (let each = 0; each < 1_024; each++) await restorer.notKept(refused(`entry ${each}`));
  expect(givenUp).toEqual([]);
  await restorer.notKept(refused("one too many"));
  expect(givenUp).toHaveLength(1);
});
