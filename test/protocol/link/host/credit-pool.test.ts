import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CreditPool } from "../../../../protocol/link/host/credit-pool.ts";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import { limits } from "../../../../protocol/wire/limits.ts";
import { frameOf, linkUp } from "./driven-link.ts";

const WINDOW = limits.creditWindow;
const FLOOR = limits.creditFloor;
const gone = new LinkError("closed", "gone");

describe("the credit of all links", () => {
  it("is a whole window for each while there are few", () => {
    const pool = new CreditPool();
    for (let i = 0; i < limits.creditTotal / WINDOW; i++) {
      expect(pool.first()).toBe(WINDOW);
      pool.open(WINDOW);
    }
    expect(pool.promised).toBe(limits.creditTotal);
    expect(pool.first()).toBe(FLOOR);
  });

  it("is shared equally once those that were there before have read what they were promised", () => {
    const pool = new CreditPool(8 * WINDOW);
    const left = Array.from({ length: 16 }, () => {
      const window = pool.first();
      pool.open(window);
      return window;
    });
    expect(left).toEqual([...Array<number>(8).fill(WINDOW), ...Array<number>(8).fill(FLOOR)]);
    for (let round = 0; round < 2; round++) {
      for (const [i, of] of left.entries()) {
        pool.change(-of);
        left[i] = pool.next(0);
        pool.change(left[i]);
      }
    }
    expect(left).toEqual(Array<number>(16).fill(WINDOW / 2));
    expect(pool.promised).toBe(8 * WINDOW);
  });

  it("never exceeds its total by more than a floor for each exchange, and is all there when all are over", () => {
    const step = fc.record({
      at: fc.nat(39),
      reads: fc.double({ min: 0, max: 1, noNaN: true }),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const total = 4 * WINDOW;
        const pool = new CreditPool(total);
        const left = new Map<number, number>();
        for (const { at, reads, ends } of steps) {
          const of = left.get(at);
          if (of === undefined) {
            const window = pool.first();
            pool.open(window);
            left.set(at, window);
          } else if (ends && reads > 0.8) {
            pool.close(of);
            left.delete(at);
          } else {
            const now = of - Math.floor(of * reads);
            pool.change(now - of);
            const window = Math.max(now, pool.next(now));
            pool.change(window - now);
            left.set(at, window);
          }
          expect(pool.next(0)).toBeGreaterThanOrEqual(FLOOR);
          expect(pool.promised).toBe([...left.values()].reduce((sum, each) => sum + each, 0));
          expect(pool.promised).toBeLessThanOrEqual(total + left.size * FLOOR);
        }
        for (const of of left.values()) pool.close(of);
        expect(pool).toMatchObject({ promised: 0, exchanges: 0 });
      }),
      { numRuns: 200 },
    );
  });
});

describe("an exchange that shares its credit with others", () => {
  /** A link, and credit for so many windows that it shares. */
  function sharing(windows: number) {
    const credit = new CreditPool(windows * WINDOW);
    return { credit, driven: linkUp(2, {}, 0, undefined, credit) };
  }
  const chunk = (id: string, size: number) => frameOf("chunk", id, { content: "", done: false }, size);
  const ask = (driven: ReturnType<typeof linkUp>, id: string) =>
    driven.open(id, 1, "message", { content: "x", credit: WINDOW });

  it("tells its guest with the message how much it may send, if that is no whole window", () => {
    const { driven, credit } = sharing(2);
    for (const id of ["a", "b", "c"]) ask(driven, id);
    expect(driven.sent.map(({ payload }) => payload)).toEqual([
      { content: "x", credit: WINDOW },
      { content: "x", credit: WINDOW },
      { content: "x", credit: FLOOR },
    ]);
    expect(credit).toMatchObject({ exchanges: 3, promised: 2 * WINDOW + FLOOR });
  });

  it("is held to what it was promised", () => {
    const { driven } = sharing(0);
    const { exchange } = ask(driven, "a");
    driven.link.frame(chunk("a", FLOOR), 1);
    driven.link.frame(chunk("a", 1), 1);
    driven.link.take(exchange, 2);
    expect(driven.failure(exchange, 2).message).toBe(`the agent sent more than its credit of ${FLOOR} bytes`);
  });

  it("is promised more each time that half of its share was read, and nobody waits for ever", () => {
    const { driven } = sharing(0);
    const { exchange } = ask(driven, "a");
    driven.types();
    for (let round = 1; round <= 5; round++) {
      driven.link.frame(chunk("a", FLOOR / 2), round);
      driven.link.take(exchange, round);
      driven.link.take(exchange, round);
      expect(driven.sent.splice(0)).toEqual([
        { type: "credit", id: "a", payload: { limit: (round * FLOOR) / 2 + FLOOR } },
      ]);
    }
  });

  it("gets a larger share when others are over, however they ended", () => {
    const { driven, credit } = sharing(1);
    const { exchange } = ask(driven, "a");
    const others = ["b", "c", "d"].map((id) => ask(driven, id).exchange);
    driven.types();
    driven.link.frame(chunk("a", WINDOW), 2);
    driven.link.take(exchange, 2);
    driven.link.take(exchange, 2);
    expect(driven.sent.splice(0)).toEqual([
      { type: "credit", id: "a", payload: { limit: WINDOW + WINDOW / 4 } },
    ]);
    driven.link.frame(frameOf("chunk", "b", { content: "", done: true }), 3);
    driven.link.detach(others[1] as (typeof others)[0], gone, 3);
    expect(credit.exchanges).toBe(2);
    driven.link.frame(chunk("a", WINDOW / 4), 3);
    driven.link.take(exchange, 3);
    driven.link.take(exchange, 3);
    expect(driven.sent.filter(({ type }) => type === "credit")).toEqual([
      { type: "credit", id: "a", payload: { limit: WINDOW + WINDOW / 4 + WINDOW / 2 } },
    ]);
    driven.link.lost(gone);
    expect(credit).toMatchObject({ exchanges: 0, promised: 0 });
  });

  it("shares nothing if its queue was full, if it is a request, or if its guest knows no credit", () => {
    const { driven, credit } = sharing(1);
    driven.hasRoom = false;
    expect(() => ask(driven, "a")).toThrow("the queue is full");
    driven.hasRoom = true;
    driven.open("r", 1, "config_update");
    linkUp(1, {}, 0, undefined, credit).open("b", 1);
    expect(credit).toMatchObject({ exchanges: 0, promised: 0 });
  });
});
