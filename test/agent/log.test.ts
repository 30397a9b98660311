import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createLog } from "../../agent/log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("an event that comes too often is written a hundred times a minute, and then counted; others are written", () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLog((line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  for (let i = 0; i < 350; i++) log.error("ledger_write_failed", { reason: "ENOSPC" });
  log.info("stopped");
  expect(lines.map(({ event }) => event)).toEqual([
    ...Array<string>(100).fill("ledger_write_failed"),
    "stopped",
  ]);
  vi.advanceTimersByTime(60_000);
  expect(lines.at(-1)).toMatchObject({
    level: "warn",
    event: "log_left_out",
    left_out: "ledger_write_failed",
    count: 250,
  });
  log.error("ledger_write_failed", { reason: "ENOSPC" });
  expect(lines.at(-1)).toMatchObject({ event: "ledger_write_failed" });
});
