import fc from "fast-check";
import type { FrameType } from "@valinor/protocol";
import { describe, expect, it, vi } from "vitest";
import {
  emptyJournal,
  EVENT_OVERHEAD,
  Journal,
  type JournalEvent,
  type JournalTotal,
  RUN_OVERHEAD,
} from "../../../agent/runs/journal.ts";
import { FreePages } from "../../../agent/runs/journal-pages.ts";

const chunk = (n: number): string => `{"content":"${n}"}`;

const emptyWith = (total: JournalTotal, firstMark: number): Journal =>
  new Journal(total, emptyJournal(firstMark));
const eventOf = (journal: Journal, sequence: number): JournalEvent | undefined => journal.event(sequence);

/** A journal with events 1 to `count`, whose marks are 100 more than their numbers. */
function journalOf(count: number) {
  const total = { bytes: 0 };
  const journal = emptyWith(total, 100);
  for (let n = 1; n <= count; n++) journal.append("chunk", chunk(n), 100 + n);
  return { journal, total };
}

describe("a journal's events", () => {
  it("are numbered from 1, and each is found by its number", () => {
    const { journal } = journalOf(3);
    expect([journal.first, journal.next, journal.mark]).toEqual([1, 4, 103]);
    expect([0, 1, 3, 4].map((n) => eventOf(journal, n)?.json)).toEqual([
      undefined,
      chunk(1),
      chunk(3),
      undefined,
    ]);
  });

  it("keep their numbers when older ones are dropped, however many", () => {
    const { journal } = journalOf(100);
    for (let dropped = 1; dropped <= 100; dropped++) {
      journal.dropOldest();
      expect([journal.first, journal.next]).toEqual([dropped + 1, 101]);
      expect(eventOf(journal, dropped)).toBeUndefined();
      expect(eventOf(journal, dropped + 1)?.json).toBe(dropped === 100 ? undefined : chunk(dropped + 1));
      expect(eventOf(journal, 100)?.json).toBe(dropped === 100 ? undefined : chunk(100));
    }
    journal.append("chunk", chunk(101), 201);
    expect(eventOf(journal, 101)?.mark).toBe(201);
  });

  it("cost their JSON in bytes and 64 each, and the run 2048, in the journal and in the total of all", () => {
    const { journal, total } = journalOf(0);
    expect([journal.bytes, total.bytes]).toEqual([0, RUN_OVERHEAD]);
    journal.append("chunk", '"é"', 1);
    expect([journal.bytes, total.bytes]).toEqual([4 + EVENT_OVERHEAD, RUN_OVERHEAD + 4 + EVENT_OVERHEAD]);
    journal.append("chunk", '""', 2);
    journal.dropOldest();
    expect([journal.bytes, total.bytes]).toEqual([2 + EVENT_OVERHEAD, RUN_OVERHEAD + 2 + EVENT_OVERHEAD]);
    journal.release();
    expect([journal.bytes, total.bytes, journal.first, journal.next]).toEqual([0, 0, 3, 3]);
  });

  it("lose nothing when there is none to drop", () => {
    const { journal, total } = journalOf(0);
    journal.dropOldest();
    expect([journal.first, journal.next, journal.bytes, total.bytes]).toEqual([1, 1, 0, RUN_OVERHEAD]);
  });
});

describe("a journal's memory", () => {
  const held = ({ first, next }: Journal) => Array.from({ length: next - first }, (_, n) => first + n);

  it("gives back each event as it was appended, whatever its type, letters and size", () => {
    const texts = fc.array(fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ minLength: 900 })), {
      maxLength: 60,
    });
    const types = ["chunk", "tool_call", "tool_blocked", "error"] as const;
    fc.assert(
      fc.property(texts, fc.nat(60), (all, dropped) => {
        const journal = emptyWith({ bytes: 0, pages: new FreePages() }, 0);
        const events = all.map((text, n) => {
          const json = JSON.stringify(text);
          const bytes = Buffer.byteLength(json) + EVENT_OVERHEAD;
          return { type: types[n % types.length] as FrameType, json, bytes, mark: 0x1fffffff - n };
        });
        for (const { type, json, mark } of events) journal.append(type, json, mark);
        for (let n = 0; n < dropped; n++) journal.dropOldest();
        expect(held(journal).map((n) => journal.event(n))).toEqual(events.slice(dropped));
        const copy = new Journal({ bytes: 0 }, journal.snapshot());
        expect(held(copy).map((n) => copy.event(n))).toEqual(events.slice(dropped));
        expect(copy.mark).toBe(journal.mark);
      }),
    );
  });

  it("takes an event of four megabytes, and small ones before and after it", () => {
    const large = JSON.stringify("x".repeat(4 * 1024 * 1024));
    const journal = emptyWith({ bytes: 0 }, 0);
    for (const [n, json] of ['"a"', large, '"b"'].entries()) journal.append("chunk", json, n);
    expect([1, 2, 3].map((n) => eventOf(journal, n)?.json === ['"a"', large, '"b"'][n - 1])).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("is passed on to the next journal once its events are dropped, and holds nothing of them there", () => {
    const pages = new FreePages();
    const before = emptyWith({ bytes: 0, pages }, 0);
    const after = emptyWith({ bytes: 0, pages }, 0);
    for (let n = 0; n < 2_000; n++) before.append("chunk", JSON.stringify("o".repeat(100)), n);
    const allocated = vi.spyOn(Buffer, "allocUnsafeSlow");
    before.release();
    for (let n = 0; n < 2_000; n++) after.append("error", JSON.stringify("n".repeat(n % 90)), n);
    expect(allocated.mock.calls.filter(([size]) => size === 32 * 1024)).toEqual([]);
    allocated.mockRestore();
    for (const n of held(after))
      expect(after.event(n)).toMatchObject({ type: "error", json: JSON.stringify("n".repeat((n - 1) % 90)) });
  });

  it("of a short run is a page of one kilobyte", () => {
    const allocated = vi.spyOn(Buffer, "allocUnsafeSlow");
    emptyWith({ bytes: 0 }, 0).append("chunk", chunk(1), 1);
    expect(allocated.mock.calls).toEqual([[1024]]);
    allocated.mockRestore();
  });
});

describe("a journal asked for a mark", () => {
  it("tells it for events that it has, for the one before the first, and for the latest that was dropped", () => {
    const { journal } = journalOf(3);
    expect([journal.has(0, 100), journal.has(0, 99)]).toEqual([true, false]);
    expect([journal.has(1, 101), journal.has(3, 103), journal.has(3, 102), journal.has(4, 104)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    journal.dropOldest();
    journal.dropOldest();
    expect([journal.has(2, 102), journal.has(2, 101)]).toEqual([true, false]);
  });

  it("knows nothing of events before the latest that was dropped", () => {
    const { journal } = journalOf(3);
    journal.dropOldest();
    journal.dropOldest();
    expect([journal.has(1, 101), journal.has(0, 100)]).toEqual([undefined, undefined]);
  });
});

describe("journals that share a total", () => {
  it("add up to it, whatever is appended, dropped and released", () => {
    const steps = fc.array(
      fc.record({
        run: fc.nat(2),
        what: fc.constantFrom("append", "append", "drop", "release"),
        text: fc.string(),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const total = { bytes: 0 };
        const journals = [0, 1, 2].map((mark) => emptyWith(total, mark));
        const released = new Set<number>();
        for (const { run, what, text } of all) {
          const journal = journals[run];
          if (journal === undefined || released.has(run)) continue;
          if (what === "append") journal.append("chunk", JSON.stringify(text), 7);
          else if (what === "drop") journal.dropOldest();
          else released.add(run);
          if (what === "release") journal.release();
        }
        const held = journals.reduce((sum, journal) => sum + journal.bytes, 0);
        expect(total.bytes).toBe(held + RUN_OVERHEAD * (3 - released.size));
      }),
    );
  });
});
