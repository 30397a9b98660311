import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HostExchange } from "../../../../protocol/link/host/exchange.ts";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import type { Frame } from "../../../../protocol/wire/frame.ts";
import { limits } from "../../../../protocol/wire/limits.ts";
import { type CountingReader, type DrivenLink, frameOf, linkUp } from "./driven-link.ts";

const LARGEST = 90_000;
const left = new LinkError("closed", "the reader left");

/** What may happen to a link, with the number of the reader that it happens to. */
const step = fc.record({
  do: fc.constantFrom("open", "chunk", "chunk", "chunk", "last", "error", "take", "take", "detach", "pass"),
  at: fc.nat(7),
  size: fc.integer({ min: 20, max: LARGEST }),
  ms: fc.integer({ min: 1, max: 3_000 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** An exchange, and what its reader has seen of it. */
interface Reading {
  readonly exchange: HostExchange;
  readonly reader: CountingReader;
  /** Frames that the exchange took. */
  readonly accepted: Frame[];
  readonly read: Frame[];
  /** What each take after the end said. */
  readonly outcomes: unknown[];
  /** How often the reader had been woken when it was told to wait; undefined while it does not wait. */
  waitsSince: number | undefined;
}

/** Does what the steps say to a link, and looks after each of them at what always holds. */
class History {
  readonly driven: DrivenLink;
  readonly all: Reading[] = [];
  readonly #slots = new Map<number, Reading>();
  /** Rules that were broken. */
  readonly broken = new Set<string>();
  now = 0;

  constructor(protocol: 1 | 2) {
    this.driven = linkUp(protocol);
  }

  carryOut(action: Step): void {
    if (action.do === "open") this.#open(action.at);
    else if (action.do === "pass") this.#pass(action.ms);
    const reading = this.#slots.get(action.at);
    if (reading !== undefined) this.#act(reading, action);
    for (const each of this.all) this.#check(each);
  }

  /** Reads to the end, and asks once more. */
  finish(reading: Reading): void {
    this.driven.link.detach(reading.exchange, left, this.now);
    for (let i = 0; i < 6; i++) this.#take(reading);
  }

  #open(at: number): void {
    const opened = this.driven.open(`${this.all.length}`, this.now);
    const reading = { ...opened, accepted: [], read: [], outcomes: [], waitsSince: undefined };
    this.#slots.set(at, reading);
    this.all.push(reading);
  }

  #pass(ms: number): void {
    this.now += ms;
    this.driven.link.frame(frameOf("heartbeat", "", { status: "ok" }), this.now);
    this.driven.link.tick(this.now);
  }

  #act(reading: Reading, action: Step): void {
    const { id } = reading.exchange;
    if (action.do === "chunk") this.#frame(reading, frameOf("chunk", id, { done: false }, action.size));
    if (action.do === "last") this.#frame(reading, frameOf("chunk", id, { content: "", done: true }));
    if (action.do === "error") this.#frame(reading, frameOf("error", id, { code: "busy" }));
    if (action.do === "take") this.#take(reading);
    if (action.do === "detach") this.driven.link.detach(reading.exchange, left, this.now);
  }

  #frame({ exchange, accepted }: Reading, frame: Frame): void {
    const { held, over } = exchange;
    this.driven.link.frame(frame, this.now);
    if (exchange.held > held) accepted.push(frame);
    this.#rule(!over || exchange.held === held, "nothing comes after the end");
  }

  #take(reading: Reading): void {
    reading.waitsSince = undefined;
    try {
      const batch = this.driven.link.take(reading.exchange, this.now);
      if (batch === "wait") reading.waitsSince = reading.reader.wakes;
      else if (batch === undefined) reading.outcomes.push("the last frame");
      else reading.read.push(...batch);
    } catch (error) {
      reading.outcomes.push(error);
    }
  }

  #check({ exchange, reader, waitsSince }: Reading): void {
    const { held, granted, received } = exchange;
    if (this.driven.link.guest?.credited === true) {
      this.#rule(received < granted + LARGEST, "a guest sends what it was granted, and one frame");
      this.#rule(granted <= received + limits.creditWindow, "a window is granted ahead of what came");
      this.#rule(held < limits.creditWindow + LARGEST, "a window and a frame are held");
    } else {
      // As much again may be with the reader.
      this.#rule(held <= limits.uncreditedBuffer * 2, "1 MiB waits for a reader");
    }
    const wakes = waitsSince === undefined ? 0 : reader.wakes - waitsSince;
    this.#rule(wakes <= 1, "a reader that waits is woken once");
    const sleeps = waitsSince !== undefined && wakes === 0;
    this.#rule(!sleeps || (held === 0 && !exchange.over), "nobody sleeps who has something to read");
  }

  #rule(holds: boolean, name: string): void {
    if (!holds) this.broken.add(name);
  }
}

describe("any history of a link", () => {
  it.each([1, 2] as const)(
    "with a guest of protocol %i conserves credit, ends each exchange once, and keeps nothing",
    (protocol) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 150 }), fc.boolean(), (steps, isLost) => {
          const history = new History(protocol);
          const { link } = history.driven;
          for (const action of steps) history.carryOut(action);
          expect(history.driven.closedBy).toBeUndefined();
          expect([...history.broken]).toEqual([]);
          if (isLost) link.lost(new LinkError("interrupted", "gone"));
          for (const reading of history.all) {
            history.finish(reading);
            expect(new Set(reading.outcomes).size).toBe(1);
            expect(reading.exchange.held).toBe(0);
            // What was read is what came, in order and from the start.
            expect(reading.read).toEqual(reading.accepted.slice(0, reading.read.length));
          }
          expect(link.exchanges).toBe(0);
          link.tick(history.now + limits.frameMs, true);
          expect(link.lateExchanges).toBe(0);
          expect(link.mostBytes(history.now + limits.frameMs)).toBe(limits.smallFrameBytes);
        }),
        { numRuns: 300 },
      );
    },
  );
});
