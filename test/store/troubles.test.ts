import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createTroubles, type StoreNews } from "../../src/store/troubles.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("tells of a failure at once, then once a minute with how often it failed, and when it works again", () => {
  const news: StoreNews[] = [];
  const troubles = createTroubles((told) => news.push(told));
  troubles.worked("write");
  for (let each = 1; each <= 3; each++) troubles.failed("write", `failure ${each}`);
  vi.advanceTimersByTime(60_000);
  troubles.failed("write", "failure 4");
  troubles.worked("write");
  troubles.worked("write");
  expect(news).toEqual([
    { what: "write", works: false, detail: "failure 1", failures: 1 },
    { what: "write", works: false, detail: "failure 4", failures: 4 },
    { what: "write", works: true, detail: "", failures: 4 },
  ]);
});

it("counts reads, writes, wipes and the file apart", () => {
  const news: StoreNews[] = [];
  const troubles = createTroubles((told) => news.push(told));
  troubles.failed("read", "r");
  troubles.failed("file", "f");
  troubles.worked("write");
  troubles.worked("file");
  expect(news.map(({ what, works }) => [what, works])).toEqual([
    ["read", false],
    ["file", false],
    ["file", true],
  ]);
});
