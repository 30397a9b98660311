import { expect, test } from "vitest";
import { createTurns, type Waiting } from "../../../src/http/server/turns.ts";

/** Who has so many pieces to do, and writes each down. */
function worker(name: string, pieces: number, done: string[]): Waiting {
  let left = pieces;
  return {
    step: () => {
      done.push(name);
      return --left > 0;
    },
  };
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test("who waits does a piece at a time, one after the other, and no more than a budget a turn", async () => {
  const done: string[] = [];
  const turns = createTurns({ steps: 4, ms: 1_000 });
  turns.join(worker("a", 100, done));
  turns.join(worker("b", 3, done));
  await nextTurn();
  expect(done.join("")).toBe("abab");
  await nextTurn();
  expect(done.join("")).toBe("ababab".concat("aa"));
});

test("a turn begins no further piece once its time is up", async () => {
  const done: string[] = [];
  const turns = createTurns({ steps: 100, ms: 0 });
  turns.join(worker("a", 5, done));
  await nextTurn();
  expect(done.length).toBeLessThan(2);
});

test("who leaves does nothing more, and who joins twice stands in line once", async () => {
  const done: string[] = [];
  const turns = createTurns({ steps: 10, ms: 1_000 });
  const a = worker("a", 1, done);
  const b = worker("b", 1, done);
  turns.join(a);
  turns.join(b);
  turns.join(b);
  turns.leave(a);
  await nextTurn();
  await nextTurn();
  expect(done).toEqual(["b"]);
});
