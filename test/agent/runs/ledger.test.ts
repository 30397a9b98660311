import { describe, expect, it } from "vitest";
import { Ledger, ledgerOf } from "../../../agent/runs/ledger.ts";
import { digestOfHash, digestOfName } from "../../../agent/runs/ledger-entries.ts";

const bounds = { ledgerKeepMs: 1_000, ledgerEntries: 3 };
const HASH = "ab".repeat(32);
const line = (name: string, takenAt: number) => ({
  name: digestOfName(name),
  digest: digestOfHash(HASH),
  takenAt,
});

function setup(taken: ReturnType<typeof line>[] = [], now = 0) {
  const full: number[][] = [];
  const ledger = new Ledger(bounds, ledgerOf(taken, bounds, now), (...told) => void full.push(told));
  return { ledger, full };
}

describe("the rules of the ledger", () => {
  it("has a request from the moment it is taken, so that the same at once is no other run", () => {
    const { ledger } = setup();
    expect(ledger.find("a")).toBeUndefined();
    expect(ledger.take("life", "a", HASH, 5)).toEqual(line("a", 5));
    expect(ledger.find("a")).toEqual({ digest: digestOfHash(HASH), own: true });
  });

  it("forgets a request that could not be written down, and none whose line is on disk", () => {
    const { ledger } = setup();
    for (const name of ["a", "b"]) ledger.take(name, name, HASH, 0);
    ledger.recorded("a", false);
    ledger.recorded("b", true);
    ledger.recorded("b", false);
    expect([ledger.find("a"), ledger.find("b") === undefined]).toEqual([undefined, false]);
    expect(ledger.snapshot().recording.size).toBe(0);
  });

  it("goes on after a restart from the latest time that was written down, whatever the clock says then", () => {
    const { ledger } = setup([line("a", 100), line("b", 900)], 50_000);
    expect(ledger.take("life", "c", HASH, 50_010).takenAt).toBe(910);
    expect(ledger.find("a")).toMatchObject({ own: false });
    ledger.sweep(50_000 + 1_000);
    expect(ledger.find("a")).toBeUndefined();
    expect(ledger.find("b")).toBeDefined();
  });

  it("takes times that go backwards in its file for the latest before them", () => {
    const { ledger } = setup([line("a", 900), line("b", 100)]);
    expect([ledger.find("a"), ledger.find("b")].map((entry) => entry?.own)).toEqual([false, false]);
    expect(ledger.take("life", "c", HASH, 0).takenAt).toBe(900);
  });

  it("forgets the oldest beyond its bound, and says so once a minute", () => {
    const { ledger, full } = setup();
    for (const name of ["a", "b", "c", "d", "e"]) ledger.take(name, name, HASH, 10);
    expect(["a", "b", "c"].map((name) => ledger.find(name) === undefined)).toEqual([true, true, false]);
    expect(full).toEqual([[3, 1]]);
    ledger.take("f", "f", HASH, 60_010);
    ledger.take("g", "g", HASH, 60_010);
    ledger.take("h", "h", HASH, 60_010);
    ledger.take("i", "i", HASH, 60_010);
    expect(full).toEqual([
      [3, 1],
      [3, 1],
    ]);
  });

  it("is the same in a copy, and the copy goes its own way", () => {
    const { ledger } = setup();
    ledger.take("a", "a", HASH, 0);
    const copy = new Ledger(bounds, ledger.snapshot(), () => {});
    copy.take("b", "b", HASH, 1);
    copy.recorded("a", false);
    expect([copy.find("a"), copy.find("b") === undefined]).toEqual([undefined, false]);
    expect([ledger.find("a") === undefined, ledger.find("b")]).toEqual([false, undefined]);
    expect(copy.entries.size).toBe(1);
  });
});
