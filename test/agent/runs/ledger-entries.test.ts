import { describe, expect, it } from "vitest";
import { digestOfHash, digestOfName, LedgerEntries } from "../../../agent/runs/ledger-entries.ts";

const KEEP_MS = 24_000;
const line = (name: string, takenAt: number, digest = `digest of ${name}`) => ({ name, digest, takenAt });
const namesOf = (entries: LedgerEntries) => [...entries.lines()].map(({ name }) => name);

describe("a digest of the ledger", () => {
  it("of a request's id is the first 128 bits of its SHA-256, as 22 characters", () => {
    expect(digestOfName("abc")).toBe("ungWv48Bz-pBQUDeXa4iIw");
  });

  it("of a message is the first 128 bits of its hash, whatever follows", () => {
    const first = "00ff".repeat(8);
    expect(digestOfHash(`${first}${"a".repeat(32)}`)).toBe(Buffer.from(first, "hex").toString("base64url"));
    expect(digestOfHash(`${first}${"b".repeat(32)}`)).toBe(digestOfHash(first));
  });
});

describe("a request that the ledger remembers", () => {
  it("is found with its digest, and with whether this boot took it", () => {
    const entries = new LedgerEntries(KEEP_MS);
    entries.add(line("a", 0), false);
    entries.add(line("b", 0), true);
    expect([entries.find("a"), entries.find("b"), entries.find("c")]).toEqual([
      { digest: "digest of a", own: false },
      { digest: "digest of b", own: true },
      undefined,
    ]);
    expect(entries.size).toBe(2);
  });

  it("that comes again counts once, with its new digest, as if it had been taken then", () => {
    const entries = new LedgerEntries(KEEP_MS);
    entries.add(line("a", 0), false);
    entries.add(line("b", 0), false);
    entries.add(line("a", 9_000, "other"), true);
    expect([entries.size, namesOf(entries)]).toEqual([2, ["b", "a"]]);
    expect(entries.find("a")).toEqual({ digest: "other", own: true });
    entries.forgetOld(KEEP_MS + 1);
    expect(namesOf(entries)).toEqual(["a"]);
  });

  it("is gone once it is deleted, and to delete what is not there changes nothing", () => {
    const entries = new LedgerEntries(KEEP_MS);
    entries.add(line("a", 0), true);
    entries.delete("b");
    expect(entries.size).toBe(1);
    entries.delete("a");
    expect([entries.size, entries.find("a")]).toEqual([0, undefined]);
  });
});

describe("the age of a request", () => {
  it("is that of the latest one taken within a 24th of the time for which it is kept", () => {
    const entries = new LedgerEntries(KEEP_MS);
    for (const [name, at] of [
      ["a", 0],
      ["b", 1_000],
      ["c", 1_001],
    ] as const)
      entries.add(line(name, at), true);
    expect([...entries.lines()].map(({ takenAt }) => takenAt)).toEqual([1_000, 1_000, 1_001]);
  });

  it("lets it be forgotten only when it is older than the bound, never at the bound", () => {
    const entries = new LedgerEntries(KEEP_MS);
    entries.add(line("a", 0), true);
    entries.add(line("b", 2_000), true);
    entries.forgetOld(KEEP_MS);
    expect([entries.size, namesOf(entries)]).toEqual([2, ["a", "b"]]);
    entries.forgetOld(KEEP_MS + 1);
    expect([entries.size, namesOf(entries)]).toEqual([1, ["b"]]);
    entries.forgetOld(1e9);
    entries.forgetOld(2e9);
    expect([entries.size, namesOf(entries)]).toEqual([0, []]);
  });

  it("is looked at behind requests that were deleted meanwhile", () => {
    const entries = new LedgerEntries(KEEP_MS);
    entries.add(line("gone", 20_000), false);
    entries.add(line("a", 20_000), true);
    entries.delete("gone");
    entries.forgetOld(20_000);
    expect(entries.snapshot().map(({ digests }) => [...digests.keys()])).toEqual([["a"]]);
  });
});

describe("a generation of the ledger", () => {
  it("holds 4,096 requests at most, and those of one boot only", () => {
    const entries = new LedgerEntries(KEEP_MS);
    entries.add(line("before", 0), false);
    for (let i = 0; i < 4_097; i++) entries.add(line(`r${i}`, 0), true);
    expect(entries.snapshot().map(({ own, digests }) => [own, digests.size])).toEqual([
      [false, 1],
      [true, 4_096],
      [true, 1],
    ]);
    expect(entries.size).toBe(4_098);
  });

  it("of a copy is one of its own, and is counted by who goes on with the copy", () => {
    const entries = new LedgerEntries(KEEP_MS);
    entries.add(line("a", 0), true);
    entries.add(line("b", 5_000), true);
    const copy = new LedgerEntries(KEEP_MS, entries.snapshot());
    expect(copy.size).toBe(2);
    copy.delete("a");
    copy.add(line("c", 5_000), true);
    expect([namesOf(entries), namesOf(copy)]).toEqual([
      ["a", "b"],
      ["b", "c"],
    ]);
  });
});

describe("a ledger with more requests than it may have", () => {
  it("forgets the oldest of them, over all generations, and says how many", () => {
    const entries = new LedgerEntries(KEEP_MS);
    for (let i = 0; i < 6; i++) entries.add(line(`r${i}`, i * 1_001), true);
    entries.delete("r0");
    expect(entries.forgetOver(2)).toBe(3);
    expect([entries.size, namesOf(entries)]).toEqual([2, ["r4", "r5"]]);
  });

  it("forgets none at the bound", () => {
    const entries = new LedgerEntries(KEEP_MS);
    for (const name of ["a", "b"]) entries.add(line(name, 0), true);
    expect([entries.forgetOver(2), entries.size]).toEqual([0, 2]);
  });
});

it("the lines of a ledger can be read while requests are added and old ones are forgotten", () => {
  const entries = new LedgerEntries(KEEP_MS);
  for (let i = 0; i < 3; i++) entries.add(line(`r${i}`, i * 2_000), true);
  const read: string[] = [];
  for (const { name } of entries.lines()) {
    read.push(name);
    if (name === "r0") entries.forgetOver(2);
  }
  expect(read).toEqual(["r0", "r1", "r2"]);
});
