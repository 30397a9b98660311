import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limitLogger, LogLimit } from "../../../protocol/wire/log-limit.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A limiter whose lines are collected. */
function limited(options: { first?: number; windowMs?: number; kinds?: number } = {}) {
  const lines: string[] = [];
  const limit = new LogLimit({
    ...options,
    leftOut: (kind, count) => void lines.push(`${count} more of ${kind}`),
  });
  return { lines, limit, say: (kind: string) => limit.say(kind, () => void lines.push(kind)) };
}

test("the first lines of a kind are written, and a minute later how many more there were", () => {
  const { lines, say } = limited({ first: 3 });
  for (let i = 0; i < 1_000; i++) say("a");
  expect(lines).toEqual(["a", "a", "a"]);
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual(["a", "a", "a", "997 more of a"]);
});

test("another kind has a share of its own", () => {
  const { lines, say } = limited({ first: 1 });
  for (const kind of ["a", "a", "b", "b"]) say(kind);
  expect(lines).toEqual(["a", "b"]);
});

test("nothing is said of a kind of which nothing was left out", () => {
  const { lines, say } = limited({ first: 1 });
  say("a");
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual(["a"]);
});

test("after a window lines are written again", () => {
  const { lines, say } = limited({ first: 1, windowMs: 1_000 });
  say("a");
  vi.advanceTimersByTime(1_000);
  say("a");
  expect(lines).toEqual(["a", "a"]);
});

test("a stream of new kinds is bounded as well", () => {
  const { lines, limit, say } = limited({ first: 2, kinds: 10 });
  for (let i = 0; i < 10_000; i++) say(`kind ${i}`);
  expect(lines).toHaveLength(12);
  limit.flush();
  expect(lines.at(-1)).toBe("9988 more of others");
});

test("what was left out can be told at once, and is told once", () => {
  const { lines, limit, say } = limited({ first: 1 });
  say("a");
  say("a");
  limit.flush();
  limit.flush();
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual(["a", "1 more of a"]);
});

test("variants of a kind are written beyond the first lines, each once, up to a bound of their own", () => {
  const lines: string[] = [];
  const limit = new LogLimit({
    first: 2,
    variants: 4,
    leftOut: (kind, count) => lines.push(`${count} of ${kind}`),
  });
  for (const variant of ["a", "a", "a", "b", "b", "a", "c", "d"])
    limit.say("kind", () => lines.push(variant), { variant });
  expect(lines).toEqual(["a", "a", "b", "c"]);
  limit.flush();
  expect(lines.at(-1)).toBe("4 of kind");
});

test("the last line of a kind may tell itself what was left out", () => {
  const lines: string[] = [];
  const limit = new LogLimit({ first: 1 });
  for (const state of ["up", "down", "up", "down"])
    limit.say("a", () => lines.push(state), {
      leftOut: (count) => lines.push(`${count} more, now ${state}`),
    });
  limit.say("b", () => lines.push("b"));
  limit.say("b", () => lines.push("b"));
  limit.flush();
  expect(lines).toEqual(["up", "b", "3 more, now down"]);
});

test("a logger tells one fault ten times a minute, and another one beside it", () => {
  const lines: string[] = [];
  const write = (fields: object, text: string) =>
    void lines.push("leftOut" in fields ? `${String(fields.leftOut)} left out` : text);
  const logger = limitLogger({ warn: write, error: write });
  const first = () => new Error("first");
  const second = () => new Error("second");
  for (let i = 0; i < 100; i++) logger.error({ err: first() }, "a request failed");
  logger.error({ err: second() }, "a request failed");
  expect(lines).toHaveLength(11);
  logger.flush();
  expect(lines.at(-1)).toBe("90 left out");
});
