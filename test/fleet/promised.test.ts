import { expect, it } from "vitest";
import { Promised } from "../../src/fleet/promised.ts";

it("each promise resolves with its own value, once, and in a later turn of the loop", async () => {
  const promised = new Promised<string>();
  const numbers: number[] = [];
  const begin = (number: number) => void numbers.push(number);
  const waits = [promised.wait(begin), promised.wait(begin)];
  expect([promised.isEmpty, new Set(numbers).size]).toEqual([false, 2]);
  promised.resolve(numbers[1] ?? 0, "second");
  promised.resolve(numbers[0] ?? 0, "first");
  promised.resolve(numbers[0] ?? 0, "again");
  promised.resolve(99, "nobody's");
  expect(promised.isEmpty).toBe(true);
  const order: string[] = [];
  await Promise.all(
    [...waits, Promise.resolve("this turn")].map(async (wait) => {
      order.push(await wait);
    }),
  );
  expect(order).toEqual(["this turn", "second", "first"]);
});

it("a promise may be resolved while it begins", async () => {
  const promised = new Promised<string>();
  expect(await promised.wait((number) => promised.resolve(number, "at once"))).toBe("at once");
});
