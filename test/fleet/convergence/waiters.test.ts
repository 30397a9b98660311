import { beforeEach, describe, expect, it } from "vitest";
import {
  APPLIED,
  type ContextEntry,
  notApplied,
  type Verdict,
} from "../../../src/fleet/convergence/facts.ts";
import { Waiters } from "../../../src/fleet/convergence/waiters.ts";

const REFUSED: Verdict = { applied: false, refused: true, reason: "no" };
const OVERTAKEN = "superseded by a later change of the same entry";
const entry = (key: string, version: string, context = "x") =>
  ({ key, version, payload: { context } }) as unknown as ContextEntry;

let heard: unknown[][];
let waiters: Waiters;

beforeEach(() => {
  heard = [];
  waiters = new Waiters({
    configJudged: (waiter, { revision, reason }) => void heard.push([waiter, revision, reason]),
    contextJudged: (waiter, { applied, refused, reason }) =>
      void heard.push([waiter, applied, refused, reason]),
  });
});

describe("who waits for a revision", () => {
  it("hears the guest's word on it, and on a higher one that it was overtaken", () => {
    waiters.addConfig(1, 4);
    waiters.addConfig(2, 5);
    waiters.addConfig(3, 6);
    waiters.configJudged(5, REFUSED);
    expect(heard).toEqual([
      [1, 4, "superseded by revision 5"],
      [2, 5, "no"],
    ]);
    expect(waiters.size).toBe(1);
  });

  it("waits for the number that the revision was raised to", () => {
    waiters.addConfig(1, 4);
    waiters.addConfig(2, 3);
    waiters.configRaised(4, 9);
    waiters.configJudged(9, APPLIED);
    expect(heard).toEqual([
      [1, 9, ""],
      [2, 3, "superseded by revision 9"],
    ]);
  });
});

describe("who waits for a context entry", () => {
  it("hears the guest's word on that version alone", () => {
    waiters.addContext(1, entry("k", "1"));
    waiters.addContext(2, entry("other", "1"));
    waiters.contextJudged("k", "1", REFUSED);
    expect(heard).toEqual([[1, false, true, "no"]]);
    waiters.contextJudged("other", "2", APPLIED);
    expect(waiters.size).toBe(1);
  });

  it("was overtaken by whoever came later for the same entry, if that one is judged first", () => {
    waiters.addContext(1, entry("k", "1"));
    waiters.addContext(2, entry("k", "2"));
    waiters.addContext(3, entry("k", "3"));
    waiters.contextJudged("k", "2", APPLIED);
    expect(heard).toEqual([
      [1, false, false, OVERTAKEN],
      [2, true, false, ""],
    ]);
    expect(waiters.size).toBe(1);
  });

  it("hears that neither entry is kept if the one that overtook it is refused", () => {
    waiters.addContext(1, entry("k", "1"));
    waiters.contextsAre([entry("k", "2")], waiters.lastTicket);
    expect(heard).toEqual([]);
    waiters.contextJudged("k", "2", REFUSED);
    expect(heard).toEqual([[1, false, false, `${OVERTAKEN}, which the agent refused: neither is kept`]]);
  });

  it("is not overtaken by a look at the store that began before it came", () => {
    const before = waiters.lastTicket;
    waiters.addContext(1, entry("k", "2"));
    waiters.contextsAre([entry("k", "1")], before);
    waiters.contextJudged("k", "1", REFUSED);
    expect(heard).toEqual([]);
  });

  it("is answered when everything is in place, by what the guest had or had turned down", () => {
    const entries = [entry("has", "1"), entry("refused", "1"), entry("gone", "2")];
    entries.forEach((one, index) => waiters.addContext(index, one));
    const held = new Map([["has", entry("has", "1")]]);
    waiters.contextInPlace(entries, held, new Map([["refused", { version: "1", reason: "no" }]]));
    expect(heard).toEqual([
      [0, true, false, ""],
      [1, false, true, "no"],
    ]);
    expect(waiters.size).toBe(1);
  });

  it("hears that a removal is in force once the guest does not have the entry", () => {
    waiters.addContext(1, entry("k", "2", ""));
    waiters.contextInPlace([], new Map([["k", entry("k", "1")]]), new Map());
    expect(heard).toEqual([]);
    waiters.contextInPlace([], new Map(), new Map());
    expect(heard).toEqual([[1, true, false, ""]]);
  });

  it("for a removal was overtaken if the entry is there again, and then its removal is asked for no more", () => {
    waiters.addContext(1, entry("k", "2", ""));
    waiters.addContext(2, entry("m", "1"));
    expect(waiters.removals().map(({ key }) => key)).toEqual(["k"]);
    waiters.contextsAre([entry("k", "3"), entry("m", "1")], waiters.lastTicket);
    expect(waiters.removals()).toEqual([]);
    waiters.contextInPlace([entry("k", "3")], new Map([["k", entry("k", "3")]]), new Map());
    expect(heard).toEqual([[1, false, false, OVERTAKEN]]);
  });

  it("hears that a removal was not overtaken if the store has no such entry", () => {
    waiters.addContext(1, entry("k", "2", ""));
    waiters.contextsAre([], waiters.lastTicket);
    expect(waiters.removals()).toHaveLength(1);
  });
});

describe("those who wait for one agent", () => {
  it("are at most 256: whoever comes then is told so", () => {
    for (let i = 0; i < 255; i++) waiters.addConfig(i, 1);
    waiters.addContext(255, entry("k", "1"));
    expect(heard).toEqual([]);
    waiters.addConfig(256, 2);
    waiters.addContext(257, entry("k", "1"));
    const full = "too many pushes wait for this agent";
    expect(heard).toEqual([
      [256, 2, full],
      [257, false, false, full],
    ]);
    expect(waiters.size).toBe(256);
  });

  it("are joined by one more if an entry of one of them was overtaken: the oldest such one is told", () => {
    for (let i = 0; i < 254; i++) waiters.addConfig(i, 1);
    waiters.addContext(254, entry("k", "1"));
    waiters.addContext(255, entry("m", "1"));
    waiters.contextsAre([entry("k", "2"), entry("m", "2")], waiters.lastTicket);
    waiters.addConfig(256, 2);
    expect(heard).toEqual([[254, false, false, OVERTAKEN]]);
    expect(waiters.size).toBe(256);
  });

  it("are all told when nothing can become of it any more, each once", () => {
    waiters.addConfig(1, 4);
    waiters.addContext(2, entry("k", "1"));
    waiters.endAll("the agent was deleted");
    waiters.endAll("again");
    const { applied, refused, reason } = notApplied("the agent was deleted");
    expect(heard).toEqual([
      [1, 4, reason],
      [2, applied, refused, reason],
    ]);
    expect(waiters.size).toBe(0);
  });
});
