import { describe, expect, it } from "vitest";
import { JournalBudget } from "../../../agent/runs/journal-budget.ts";

/** A run as the budget sees it: events of ten bytes, and readers at numbers of events. */
class FakeRun {
  ended = false;
  readonly journal = { bytes: 0, first: 1 };
  readonly readers = new Set<{ next: number }>();
  blocked = false;
  proceeded = 0;
  readonly #total: { bytes: number };

  constructor(total: { bytes: number }, ...readers: number[]) {
    this.#total = total;
    for (const next of readers) this.readers.add({ next });
  }

  add(events: number): void {
    this.journal.bytes += 10 * events;
    this.#total.bytes += 10 * events;
  }

  dropOldest(): void {
    this.journal.bytes -= 10;
    this.#total.bytes -= 10;
    this.journal.first++;
  }

  setBlocked(blocked: boolean): void {
    this.blocked = blocked;
  }

  proceed(): void {
    this.proceeded++;
  }
}

function setup(journalRunBytes = 50, journalAgentBytes = 100) {
  const runs = {
    inFlight: new Set<FakeRun>(),
    ended: new Set<FakeRun>(),
    forget(run: FakeRun) {
      runs.ended.delete(run);
      while (run.journal.bytes > 0) run.dropOldest();
    },
  };
  const budget = new JournalBudget<FakeRun>({ journalRunBytes, journalAgentBytes }, runs);
  const run = (events: number, ...readers: number[]) => {
    const made = new FakeRun(budget.total, ...readers);
    made.add(events);
    runs.inFlight.add(made);
    return made;
  };
  const ended = (events: number, ...readers: number[]) => {
    const made = run(events, ...readers);
    made.ended = true;
    runs.inFlight.delete(made);
    runs.ended.add(made);
    return made;
  };
  return { budget, run, ended, runs };
}

describe("a run whose journal is over its own bound", () => {
  it("is not blocked if nobody reads it: it loses its oldest events", () => {
    const { budget, run } = setup();
    const unread = run(7);
    budget.settle(unread, 0);
    expect(unread).toMatchObject({ blocked: false, journal: { bytes: 50, first: 3 } });
  });

  it("is not blocked if nobody reads it, even while the agent is over its bound by what others read", () => {
    const { budget, run } = setup(50, 60);
    run(5, 1);
    const unread = run(2);
    budget.settle(unread, 0);
    expect(unread).toMatchObject({ blocked: false, journal: { bytes: 10 } });
    const empty = run(0);
    run(2, 1);
    budget.settle(empty, 0);
    expect(budget.total.bytes).toBeGreaterThan(60);
    expect(empty.blocked).toBe(false);
  });

  it("drops what its fastest reader has taken, and no more than it has to", () => {
    const { budget, run } = setup();
    const read = run(7, 1, 6);
    budget.settle(read, 0);
    expect(read).toMatchObject({ blocked: false, journal: { bytes: 50, first: 3 } });
  });

  it("is blocked while no reader has taken its oldest event, and goes on once one has", () => {
    const { budget, run } = setup();
    const read = run(6, 1);
    budget.settle(read, 0);
    expect(read).toMatchObject({ blocked: true, proceeded: 0, journal: { first: 1 } });
    for (const reader of read.readers) reader.next = 2;
    budget.settle(read, 0);
    expect(read).toMatchObject({ blocked: false, proceeded: 1, journal: { first: 2 } });
    budget.settle(read, 0);
    expect(read.proceeded).toBe(1);
  });

  it("is not blocked at the bound, only over it", () => {
    const { budget, run } = setup();
    const read = run(5, 1);
    budget.settle(read, 0);
    expect(read.blocked).toBe(false);
  });

  it("is not blocked any more once it has ended or its last reader has left", () => {
    const { budget, run } = setup();
    const [one, other] = [run(6, 1), run(6, 1)];
    for (const blocked of [one, other]) budget.settle(blocked, 0);
    one.ended = true;
    budget.settle(one, 0);
    other.readers.clear();
    budget.settle(other, 0);
    expect([one.blocked, other.blocked]).toEqual([false, false]);
  });
});

describe("an agent whose journals are over the bound of all", () => {
  it("drops ended runs that nobody reads first, the oldest before others", () => {
    const { budget, run, ended, runs } = setup();
    const [read, oldest, later] = [ended(3, 1), ended(3), ended(3)];
    const growing = run(2);
    budget.settle(growing, 0);
    expect([...runs.ended]).toEqual([read, later]);
    expect([oldest.journal.bytes, growing.journal.bytes]).toEqual([0, 20]);
  });

  it("then drops events of the run that holds the most of those it does not need", () => {
    const { budget, run } = setup();
    const [needed, large, small] = [run(5, 1), run(4), run(2)];
    budget.settle(small, 0);
    expect([small, large, needed].map(({ journal }) => journal.bytes)).toEqual([20, 30, 50]);
  });

  it("drops of an ended run that is read what its readers have taken", () => {
    const { budget, run, ended } = setup();
    const [over, needed] = [ended(5, 3), run(6, 1)];
    budget.settle(needed, 0);
    expect([over.journal.bytes, needed.blocked]).toEqual([40, true]);
    expect(budget.total.bytes).toBe(100);
  });

  it("blocks a run that is read, and lets it go on when another one made room", () => {
    const { budget, run } = setup();
    const [one, other] = [run(5, 1), run(6, 1)];
    budget.settle(one, 0);
    expect(one.blocked).toBe(true);
    for (const reader of other.readers) reader.next = 6;
    budget.settle(other, 0);
    expect([one.blocked, one.proceeded, other.blocked]).toEqual([false, 1, false]);
  });

  it("has room for a run below the bound, and makes it if it can", () => {
    const { budget, run, ended, runs } = setup();
    run(5, 1);
    run(4, 1);
    expect(budget.hasRoom(0)).toBe(true);
    ended(1);
    expect(budget.hasRoom(0)).toBe(true);
    expect(runs.ended.size).toBe(0);
    run(1, 1);
    expect(budget.hasRoom(0)).toBe(false);
  });
});
