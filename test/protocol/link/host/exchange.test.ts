import { describe, expect, it } from "vitest";
import { limits } from "../../../../protocol/wire/limits.ts";
import { frameOf, linkUp } from "./driven-link.ts";

const WINDOW = limits.creditWindow;
const chunk = (size: number) => frameOf("chunk", "a", { content: "", done: false }, size);
const error = (payload: object, size: number) => frameOf("error", "a", { code: "busy", ...payload }, size);

describe("credit", () => {
  it("admits a window and the frame that crosses its end; one more ends the exchange after what came", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.types();
    driven.link.frame(chunk(WINDOW - 1), 1);
    driven.link.frame(chunk(500_000), 1);
    expect(exchange.held).toBe(WINDOW + 499_999);
    driven.link.frame(chunk(1), 1);
    expect(driven.types()).toEqual(["detach"]);
    expect(driven.link).toMatchObject({ exchanges: 0, lateExchanges: 1 });
    expect(driven.link.take(exchange, 2)).toHaveLength(2);
    expect(driven.failure(exchange, 2)).toMatchObject({
      code: "invalid_frame",
      message: "the agent sent more than its credit of 262144 bytes",
    });
  });

  it("is granted when half of the window was read, up to a window ahead of what was", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.types();
    driven.link.frame(chunk(WINDOW / 2 - 1), 1);
    driven.link.take(exchange, 2);
    driven.link.take(exchange, 2);
    expect(driven.types()).toEqual([]);
    driven.link.frame(chunk(1), 3);
    driven.link.take(exchange, 3);
    expect(driven.types()).toEqual([]);
    // To ask again says that the batch is done with.
    driven.link.take(exchange, 4);
    expect(driven.sent).toEqual([{ type: "credit", id: "a", payload: { limit: WINDOW / 2 + WINDOW } }]);
    driven.link.take(exchange, 5);
    expect(driven.sent).toHaveLength(1);
  });

  it("is neither needed nor used up by an error that is no event", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(chunk(WINDOW), 1);
    driven.link.frame(error({ sequence: null }, 100), 1);
    expect(driven.link.take(exchange, 2)).toHaveLength(2);
    expect(exchange.received).toBe(WINDOW);
    expect(driven.link.take(exchange, 2)).toBeUndefined();
  });

  it("is needed by an error that is the event of a run", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(chunk(WINDOW), 1);
    driven.link.frame(error({ sequence: 2 }, 100), 1);
    expect(driven.link.take(exchange, 2)).toHaveLength(1);
    expect(driven.failure(exchange, 2).code).toBe("invalid_frame");
  });

  it("is not granted any more once the last frame has come", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(chunk(WINDOW - 1), 1);
    driven.link.frame(frameOf("chunk", "a", { done: true }), 1);
    driven.types();
    driven.link.take(exchange, 2);
    driven.link.take(exchange, 2);
    expect(driven.types()).toEqual([]);
  });
});

describe("what an exchange holds", () => {
  it("is what waits, and the batch that its reader has until it asks for the next", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(chunk(100), 1);
    driven.link.frame(chunk(20), 1);
    expect(exchange.held).toBe(120);
    driven.link.take(exchange, 2);
    expect(exchange.held).toBe(120);
    driven.link.frame(chunk(3), 3);
    expect(exchange.held).toBe(123);
    driven.link.take(exchange, 4);
    expect(exchange.held).toBe(3);
    driven.link.take(exchange, 5);
    expect(exchange.held).toBe(0);
  });

  it("is asked for as often as its reader does, a wait and what ends it counted once", () => {
    const driven = linkUp(2);
    const { exchange } = driven.open("a", 1);
    expect(exchange.takes).toBe(0);
    driven.link.take(exchange, 1);
    driven.link.take(exchange, 1);
    driven.link.frame(chunk(100), 2);
    driven.link.take(exchange, 2);
    expect(exchange.takes).toBe(1);
    driven.link.take(exchange, 3);
    expect(exchange.takes).toBe(2);
  });
});

describe("a guest without credit", () => {
  it("may send 1 MiB ahead of the reader, and one frame of any size to a reader that has all", () => {
    const driven = linkUp(1);
    const { exchange } = driven.open("a", 1);
    driven.link.frame(chunk(4_000_000), 1);
    expect(driven.link.take(exchange, 2)).toHaveLength(1);
    driven.link.frame(chunk(1_000_000), 3);
    driven.link.frame(chunk(limits.uncreditedBuffer - 1_000_000), 3);
    expect(driven.link.take(exchange, 4)).toHaveLength(2);
    driven.link.frame(chunk(1_000_000), 5);
    driven.link.frame(chunk(limits.uncreditedBuffer - 1_000_000 + 1), 5);
    expect(driven.link.take(exchange, 6)).toHaveLength(1);
    expect(driven.failure(exchange, 6)).toMatchObject({
      code: "overrun",
      message: "more than 1048576 bytes of the agent's answer wait for the reader",
    });
    expect(driven.types()).toEqual(["message"]);
  });
});

describe("the silence of a guest", () => {
  const waiting = (protocol: 1 | 2, silenceMs: number) => {
    const driven = linkUp(protocol, { silenceMs });
    const { exchange, reader } = driven.open("a", 0);
    expect(driven.link.take(exchange, 0)).toBe("wait");
    driven.types();
    return { driven, exchange, reader };
  };

  it("gives a waiting reader an empty batch after 15 s, and every 15 s", () => {
    const { driven, exchange, reader } = waiting(1, 60_000);
    driven.link.tick(1_000);
    driven.link.heard(14_000);
    for (let now = 2_000; now < 15_000; now += 1_000) driven.link.tick(now);
    expect(reader.wakes).toBe(0);
    driven.link.tick(15_000);
    expect(reader.wakes).toBe(1);
    expect(driven.link.take(exchange, 15_000)).toEqual([]);
    expect(driven.link.take(exchange, 15_001)).toBe("wait");
    for (let now = 16_000; now < 30_000; now += 1_000) {
      driven.link.heard(now);
      driven.link.tick(now);
    }
    expect(reader.wakes).toBe(1);
    driven.link.tick(30_000);
    expect(reader.wakes).toBe(2);
  });

  it("is no keepalive if frames came before the reader looked", () => {
    const { driven, exchange } = waiting(1, 60_000);
    for (let now = 1_000; now <= 15_000; now += 1_000) {
      driven.link.heard(now);
      driven.link.tick(now);
    }
    driven.link.frame(chunk(100), 15_500);
    expect(driven.link.take(exchange, 16_000)).toHaveLength(1);
    expect(driven.link.take(exchange, 16_000)).toBe("wait");
  });

  it.each([
    [1, 20_000, 20_000],
    [2, 20_000, limits.runSilenceMs],
    [2, 50_000, 50_000],
  ] as const)(
    "of protocol %i, with a silence limit of %i ms, ends a waiting reader's exchange after %i ms",
    (protocol, silenceMs, after) => {
      const { driven, exchange } = waiting(protocol, silenceMs);
      const pass = (until: number) => {
        for (let now = 1_000; now <= until; now += 1_000) {
          if (now % 10_000 === 0) driven.link.frame(frameOf("heartbeat", "", { status: "ok" }), now);
          driven.link.heard(now);
          driven.link.tick(now);
          if (now === 15_000 || now === 30_000 || now === 45_000) driven.link.take(exchange, now);
          if (now < after) driven.link.take(exchange, now);
        }
      };
      pass(after - 1_000);
      expect(driven.link.exchanges).toBe(1);
      driven.link.heard(after);
      driven.link.tick(after);
      expect(driven.failure(exchange, after)).toMatchObject({
        code: "timeout",
        message: `the agent sent nothing for ${after / 1_000} s`,
      });
      expect(driven.types()).toEqual(protocol === 2 ? ["detach"] : []);
      expect(driven.link).toMatchObject({ exchanges: 0, lateExchanges: 1 });
    },
  );

  it("is not counted while a reader that was woken has not looked yet", () => {
    const { driven, exchange, reader } = waiting(1, 10_000);
    driven.link.frame(chunk(100), 1_000);
    for (let now = 2_000; now <= 40_000; now += 1_000) {
      driven.link.heard(now);
      driven.link.tick(now);
    }
    expect(reader.wakes).toBe(1);
    expect(driven.link.exchanges).toBe(1);
    expect(driven.link.take(exchange, 40_000)).toHaveLength(1);
  });

  it("counts from the last frame, and from when the reader had done with it", () => {
    const { driven, exchange } = waiting(1, 10_000);
    driven.link.frame(chunk(100), 5_000);
    expect(driven.link.take(exchange, 5_000)).toHaveLength(1);
    for (let now = 6_000; now <= 20_000; now += 1_000) {
      driven.link.heard(now);
      driven.link.tick(now);
    }
    expect(driven.link.take(exchange, 20_000)).toBe("wait");
    for (let now = 21_000; now <= 29_000; now += 1_000) {
      driven.link.heard(now);
      driven.link.tick(now);
    }
    expect(driven.link.exchanges).toBe(1);
    driven.link.tick(30_000);
    expect(driven.link.exchanges).toBe(0);
  });
});
